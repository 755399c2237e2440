"""The project's own DAGs about models and one of nights, with time compressed: minutes of waiting are seconds."""

from __future__ import annotations

import runpy
from datetime import timedelta

from airflow.sdk import DAG

from apogee_airflow.retries import RETRIES
from apogee_labels.core.settings import PROJECT_ROOT

RETRIES["retry_delay"] = timedelta(seconds=2)
FILES = ("apogee_nightly", "cannon_training", "cannon_reanalysis", "cannon_model_in_force")

for file in FILES:
    for name, dag in runpy.run_path(str(PROJECT_ROOT / "dags" / f"{file}.py")).items():
        if isinstance(dag, DAG):
            for task in dag.tasks:
                if task.task_id == "training_set_changed":
                    task.settle_time, task.poke_interval = 2.0, 1.0
                if task.task_id in ("wait_for_apstars", "list_apstars"):
                    task.params["settle_seconds"] = 1
            globals()[f"{file}_{name}"] = dag
