"""A real Airflow on this machine alone: what ``make run`` starts, and the end-to-end tests with it.

Nothing here imports Airflow: it starts Airflow's own commands and speaks to its REST API, as a user would.
"""
