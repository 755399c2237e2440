"""The project's own DAGs about models and one of nights, with time compressed: hours are minutes, minutes are seconds."""

from __future__ import annotations

import runpy
from datetime import timedelta

from airflow.sdk import DAG, Asset, BaseOperator, CronTriggerTimetable

from apogee_airflow.retries import RETRIES
from apogee_labels.core.settings import PROJECT_ROOT

RETRIES["retry_delay"] = timedelta(seconds=2)
FILES = ("apogee_nightly", "cannon_training", "cannon_reanalysis", "cannon_model_in_force")

for file in FILES:
    found = runpy.run_path(str(PROJECT_ROOT / "dags" / f"{file}.py"))
    tasks = {id(task): task for dag in found.values() if isinstance(dag, DAG) for task in dag.tasks}
    # A DAG without a name in its file is found by its tasks; Airflow collects it all the same.
    tasks |= {id(task): task for each in found.values() if isinstance(each, BaseOperator) for task in each.dag.tasks}
    for task in tasks.values():
        if task.task_id == "training_set_changed":
            task.settle_time, task.poke_interval = 1.0, 0.5
            task.dag.timetable.timetable = CronTriggerTimetable("* * * * *", timezone="UTC")
        if task.task_id in ("wait_for_apstars", "list_apstars"):
            task.params["settle_seconds"] = 1
    for asset in (each for each in found.values() if isinstance(each, Asset)):
        for watcher in asset.watchers:
            watcher.trigger.settle_time, watcher.trigger.poll_interval = 1.0, 0.5
    globals().update({f"{file}_{name}": dag for name, dag in found.items() if isinstance(dag, DAG)})
