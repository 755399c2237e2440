"""What Airflow loads from this folder: everything else is in the package beside it, which .airflowignore keeps out.

Where the project is installed, from a checkout or a wheel, its entry point is enough: a second plugin of the same name
would be an import error on Airflow's pages.
"""

from importlib.metadata import PackageNotFoundError, distribution

try:
    distribution("apogee-labels")
except PackageNotFoundError:
    from apogee_airflow.plugin import ApogeeLabelsPlugin

    __all__ = ["ApogeeLabelsPlugin"]
