"""The nightly DAG with tasks that do nothing: what Airflow itself takes for a night (``make bench-night`` alone loads it).

It has the tasks, edges, pools, retries and XComs of ``dags/apogee_nightly.py`` (a test compares them), and its file imports
nothing but Airflow, so that parsing the real one counts as the night's own cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, Context, Param, TriggerRule, task_group

RETRIES = {"retries": 3, "retry_delay": timedelta(seconds=30)}


class NothingOperator(BaseOperator):
    """Name the instance, and return what the next task takes; the arguments are rendered as those of a real task.

    EmptyOperator would not do: the scheduler marks it as done and starts no process.
    """

    template_fields: Sequence[str] = ("takes", "gives")

    def __init__(self, *, takes: Any = None, gives: Any = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.takes = takes
        self.gives = gives

    def execute(self, context: Context) -> Any:
        """Do nothing."""
        cast("dict[str, Any]", context)["label"] = self.task_id
        return self.gives


class NothingListOperator(NothingOperator):
    """Return as many names, each in a list of its own, as `takes` says."""

    def execute(self, context: Context) -> list[list[str]]:
        """Make up names."""
        return [[f"file-{number}"] for number in range(int(self.takes[0]))]


with DAG(
    dag_id="empty_night",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    params={"files": Param(200, type="integer", minimum=0)},
    default_args=RETRIES,
    tags=["benchmark"],
) as dag:
    wait = NothingOperator(task_id="wait_for_apstars")
    fetch = NothingOperator(task_id="fetch_apstars")
    pin = NothingOperator(task_id="pin_model", gives="model", trigger_rule=TriggerRule.ALL_DONE)
    listing = NothingListOperator(task_id="list_apstars", takes=["{{ params.files }}", pin.output])

    @task_group(group_id="star", prefix_group_id=False)
    def analyse(paths: list[str], model_id: str) -> None:
        """Wire the two tasks of a file."""
        common = {"pool": "apogee_files", "map_index_template": "{{ label }}"}
        normalized = NothingOperator(task_id="normalize", takes=paths, gives=["product"], **common)
        NothingOperator(task_id="infer", takes=[normalized.output, model_id], gives=["result"], **common)

    publish = NothingOperator(task_id="publish_night", takes=pin.output, trigger_rule=TriggerRule.ALL_DONE)
    listing >> EmptyOperator(task_id="listed")
    fetch >> EmptyOperator(task_id="fetched")
    wait >> fetch >> pin
    analyse.partial(model_id=pin.output).expand(paths=listing.output) >> publish
