"""The tutorial: one star, or a list of them, from the archive or the SDSS server to stellar labels."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, TriggerRule, task_group

from apogee_airflow import (
    ApStarSensor,
    FetchApStarOperator,
    ListStarsOperator,
    ReportStarsOperator,
    TrainCannonOperator,
)
from apogee_airflow.analysis import normalize_and_infer
from apogee_airflow.assets import MODEL, TRAINING_SET
from apogee_airflow.params.forms import TRAINING_ARGUMENTS, StarsParameters, params_form, training_form
from apogee_airflow.pools import FILES_POOL, TRAINING_POOL
from apogee_airflow.retries import RETRIES
from apogee_labels.core.settings import Settings

SETTINGS = Settings()

DOC = """
### One star, or a list

Give the keys of one star, or a list of scheduled observations: as JSON, as a table that is pasted, or as a CSV file.
Each star is waited for on its own (`wait_hours`), fetched if that is asked (`use_remote`), normalised and inferred; the
model is trained first, if there is none with these parameters.  What is done already is not done again.  `report` shows
the labels; a star that did not come, or was rejected, is listed there with its reason, and the run is green: that is a
result.  It is red when something is left unfinished.  Nothing is started with a list that has a fault: the log of
`list_stars` says in which lines.

A table has a header, with any of these columns: `obj` (or `APOGEE_ID`), `telescope`, `field`, `healpix`, `release`,
`apred`, `apstar`, `prefix`.  Blank lines and those that begin with `#` do not count:

    obj,telescope,field
    2M16505794-2118004,apo25m,000+14
"""


PARAMS = params_form(StarsParameters, defaults={"release": SETTINGS.release}) | training_form(SETTINGS)

with DAG(
    dag_id="apogee_stars",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    params=PARAMS,
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "tutorial"],
):
    stars = ListStarsOperator(task_id="list_stars")
    train = TrainCannonOperator(
        task_id="train", pool=TRAINING_POOL, inlets=[TRAINING_SET], outlets=[MODEL], **TRAINING_ARGUMENTS
    )

    @task_group(group_id="star", prefix_group_id=False)
    def analyse(star: dict[str, object], model_id: str) -> None:
        """The way of one star."""
        wait = ApStarSensor(
            task_id="wait_for_apstar",
            star=star,
            wait="{{ params.wait_hours }}",
            settle_time=0,
            use_remote="{{ params.use_remote }}",
            poke_interval=10,
            map_index_template="{{ label }}",
        )
        fetch = FetchApStarOperator(
            task_id="fetch_apstar",
            star=star,
            use_remote="{{ params.use_remote }}",
            pool=FILES_POOL,
            map_index_template="{{ label }}",
        )
        normalize_and_infer(fetch.output, model_id, sum_axis="{{ params.sum_axis }}")
        wait >> fetch

    report = ReportStarsOperator(
        task_id="report",
        stars=stars.output,
        model_id=train.output,
        sum_axis="{{ params.sum_axis }}",
        fetch_task_id="fetch_apstar",
        trigger_rule=TriggerRule.ALL_DONE,
    )
    stars >> train  # nothing is started with a list that has a fault
    analyse.partial(model_id=train.output).expand(star=stars.output) >> report
