"""The astronomy of the project, usable from a notebook: nothing below imports Airflow."""
