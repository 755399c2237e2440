"""The installation and the server of the Airflow side's tests."""

from tests.apogee_airflow.conftest import installation, model_id, server, survey, workspace

__all__ = ["installation", "model_id", "server", "survey", "workspace"]
