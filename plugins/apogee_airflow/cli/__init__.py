"""Nights for people: as SDSS MJDs, as evenings and as Airflow's dates; ``python -m apogee_airflow.cli.nights``."""
