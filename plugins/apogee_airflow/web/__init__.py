"""Pages for people beside Airflow's own.

Only the API server may import what is in here: Airflow's security layer costs a task two seconds.
"""

URL_PREFIX = "/apogee"
"""Below which path of the API server the pages are."""
