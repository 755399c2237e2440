"""What Airflow loads from this folder: everything else is in the package beside it, which .airflowignore keeps out."""

from apogee_airflow.plugin import ApogeeLabelsPlugin

__all__ = ["ApogeeLabelsPlugin"]
