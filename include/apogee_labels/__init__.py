"""The astronomy of the project, usable from a notebook: nothing below imports Airflow."""

__version__ = "0.6.0"
