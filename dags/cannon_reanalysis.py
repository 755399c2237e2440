"""After a model came into force: labels by it for every star of the archive."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param, TriggerRule, WeightRule

from apogee_airflow import PinModelOperator, PlanReanalysisOperator, PublishReanalysisOperator, ReanalyseOperator
from apogee_airflow.assets import LABEL_CATALOG, MODEL_IN_FORCE, NIGHT_TABLES, OUTDATED_RESULTS
from apogee_airflow.pools import REANALYSIS_POOL
from apogee_airflow.priorities import REANALYSIS_WEIGHT
from apogee_airflow.retries import RETRIES
from apogee_labels.core.settings import Settings

DOC = """
### Every star by the model in force

Infers again whatever has no result by the model in force, from the stored normalised spectra; one that is not on disk any
more is made anew.  Results by older models stay.  Then the table of all stars and those of the nights are brought up to
date.  **`publish_tables` is red when a star is left that has neither a result nor a rejection.**

A run starts when a model comes into force, when a night ends that was pinned to an older one, and once a day, so that
nothing is forgotten: with nothing to do it is a matter of seconds.  A run keeps the model with which it began; one that
comes into force meanwhile starts the next.  What was done before a run was killed or cleared is not done again.
"""

PARAMS = {
    "batch_size": Param(
        5000, type="integer", minimum=1, maximum=100_000, title="Spectra an instance",
        description="About so many spectra in each mapped instance: more make a run quicker, fewer waits shorter.",
    ),
    "max_batches": Param(
        300, type="integer", minimum=1, maximum=1000, title="Mapped instances",
        description="At most so many instances; then each takes more spectra.",
    ),
}  # fmt: skip

EVERY_DAY = "0 6 * * *"
"""UTC: both telescopes observe, and no night's run waits for files any more by default."""

with DAG(
    dag_id="cannon_reanalysis",
    schedule=AssetOrTimeSchedule(
        assets=MODEL_IN_FORCE | OUTDATED_RESULTS, timetable=CronTriggerTimetable(EVERY_DAY, timezone="UTC")
    ),
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args={**RETRIES, "priority_weight": REANALYSIS_WEIGHT, "weight_rule": WeightRule.ABSOLUTE},
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    pin = PinModelOperator(task_id="pin_model")
    common = {"model_id": pin.output, "continuum_regions_path": str(Settings().continuum_regions)}
    plan = PlanReanalysisOperator(
        task_id="plan_reanalysis",
        batch_size="{{ params.batch_size }}",
        max_batches="{{ params.max_batches }}",
        **common,
    )
    reanalyse = ReanalyseOperator.partial(
        task_id="reanalyse", pool=REANALYSIS_POOL, map_index_template="{{ label }}", **common
    ).expand(batch=plan.output)
    publish = PublishReanalysisOperator(
        task_id="publish_tables",
        trigger_rule=TriggerRule.ALL_DONE,
        inlets=[MODEL_IN_FORCE],
        outlets=[LABEL_CATALOG, NIGHT_TABLES],
        **common,
    )
    reanalyse >> publish
