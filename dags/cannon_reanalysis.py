"""After a model came into force: labels by it for every star of the archive."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, TriggerRule, WeightRule

from apogee_airflow import PinModelOperator, PlanReanalysisOperator, PublishReanalysisOperator, ReanalyseOperator
from apogee_airflow.assets import LABEL_CATALOG, MODEL_IN_FORCE, NIGHT_TABLES, OUTDATED_RESULTS
from apogee_airflow.params.forms import ReanalysisParameters, form_value, params_form
from apogee_airflow.pools import REANALYSIS_POOL
from apogee_airflow.priorities import REANALYSIS_WEIGHT
from apogee_airflow.retries import RETRIES

DOC = """
### Every star by the model in force

Infers again whatever has no result by the model in force, from the stored normalised spectra; one that is not on disk any
more is made anew.  Results by older models stay.  Then the table of all stars and those of the nights are brought up to
date.  **`publish_tables` is red when a star is left that has neither a result nor a rejection.**

A run starts when a model comes into force, when a night ends that was pinned to an older one, and once a day, so that
nothing is forgotten: with nothing to do it is a matter of seconds.  A run keeps the model with which it began; one that
comes into force meanwhile starts the next.  What was done before a run was killed or cleared is not done again.
"""

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
    params=params_form(ReanalysisParameters),
    default_args={**RETRIES, "priority_weight": REANALYSIS_WEIGHT, "weight_rule": WeightRule.ABSOLUTE},
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    pin = PinModelOperator(task_id="pin_model")
    plan = PlanReanalysisOperator(
        task_id="plan_reanalysis", model_id=pin.output, parameters=form_value(ReanalysisParameters)
    )
    reanalyse = ReanalyseOperator.partial(
        task_id="reanalyse", pool=REANALYSIS_POOL, map_index_template="{{ label }}", model_id=pin.output
    ).expand(batch=plan.output)
    publish = PublishReanalysisOperator(
        task_id="publish_tables",
        trigger_rule=TriggerRule.ALL_DONE,
        inlets=[MODEL_IN_FORCE],
        outlets=[LABEL_CATALOG, NIGHT_TABLES],
        model_id=pin.output,
    )
    reanalyse >> publish
