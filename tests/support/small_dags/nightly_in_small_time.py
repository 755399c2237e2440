"""The project's own nightly DAGs, with time compressed: minutes of waiting are seconds; nothing else is different."""

from __future__ import annotations

import runpy
from datetime import timedelta

from airflow.sdk import DAG

from apogee_airflow.retries import RETRIES
from apogee_labels.core.settings import PROJECT_ROOT

RETRIES["retry_delay"] = timedelta(seconds=2)

for name, dag in runpy.run_path(str(PROJECT_ROOT / "dags" / "apogee_nightly.py")).items():
    if isinstance(dag, DAG):
        for task in (dag.get_task("wait_for_apstars"), dag.get_task("list_apstars")):
            task.params["settle_seconds"] = 5
            task.params["wait_hours"] = 240  # the nights of last week have not reached their deadline
        # Nobody writes files of last week for LCO: its nights wait all the time, and need not look often.
        dag.get_task("wait_for_apstars").poke_interval = 10.0 if name.endswith("apo25m") else 60.0
        globals()[name] = dag
