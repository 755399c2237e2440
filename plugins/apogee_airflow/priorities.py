"""Who goes first: a night of the schedule before one that a person started, both before a backfill, a reanalysis last.

Left alone, Airflow takes the older logical date among equals, and so the hundreds of instances of a backfill before the
night that has just ended; and the slots of their pool are taken when it comes.  Therefore a backfill's tasks get a pool of
their own, which leaves slots free, and every task of a run the same weight, by the kind of its run.  With equal weights
Airflow goes by night and then by instance, so that a backfill finishes one night after the other, not all at the end.

Airflow asks for pool and weight whenever it makes, expands or clears a task instance: the hook in
``config/airflow_local_settings.py`` answers with :func:`place`.  A backfill that runs an existing run again clears it first
and makes it a backfill's afterwards, without asking: :func:`on_dag_run_running` mends that when the run starts.

A ``weight_rule`` of our own would not do: it knows the task, and not yet the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from apogee_airflow.pools import BACKFILL_POOL

if TYPE_CHECKING:
    from airflow.models import DagRun, TaskInstance

NIGHTLY = "apogee_nightly_"
"""How the ids of the DAGs begin that this is about: nobody else's tasks are touched."""

# Tasks of other DAGs weigh what they have downstream, 1 to 10: a training goes before a backfill, a night before a training.
WEIGHTS = {"scheduled": 100, "manual": 20, "backfill": 0}
REANALYSIS_WEIGHT = -1
"""Labels of older nights by a new model are in no hurry: everything else goes first."""


def place(task_instance: TaskInstance, run: DagRun) -> None:
    """Set weight and pool of a task instance by the kind of its run; doing it again changes nothing."""
    if not run.dag_id.startswith(NIGHTLY) or run.run_type not in WEIGHTS:
        return
    task_instance.priority_weight = WEIGHTS[run.run_type]
    if run.run_type == "backfill":
        task_instance.pool = BACKFILL_POOL


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Put every instance that a backfill's run has by now where it belongs, in the scheduler's own transaction."""
    if dag_run.run_type != "backfill" or not dag_run.dag_id.startswith(NIGHTLY):
        return
    for task_instance in dag_run.task_instances:
        place(task_instance, dag_run)
