"""A night of apStar files becomes stellar labels: one DAG a telescope, one run an SDSS MJD."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, get_parsing_context, task_group

from apogee_airflow import (
    ApStarSensor,
    FetchNightOperator,
    ListApStarsOperator,
    ObservingNightTimetable,
    PinModelOperator,
    PublishNightOperator,
)
from apogee_airflow.analysis import normalize_and_infer
from apogee_airflow.assets import (
    LABEL_CATALOG,
    MODEL_IN_FORCE,
    NIGHT_TABLES,
    NORMALIZED_SPECTRA,
    OUTDATED_RESULTS_ALIAS,
)
from apogee_airflow.notifiers.notify import night_callbacks
from apogee_airflow.params.forms import NightParameters, form_value, params_form
from apogee_airflow.retries import RETRIES
from apogee_labels.apogee.archive.nights import OBSERVATORIES
from apogee_labels.core.settings import Settings

SETTINGS = Settings()
FIRST_LIGHT = datetime(2011, 4, 1, tzinfo=UTC)
MAX_ACTIVE_RUNS = 16
"""Above the longest wait_hours in days: a night that waits for its files keeps no later one from starting."""

DOC = """
### A night at {name}

Waits for the apStar files of one SDSS MJD, normalises their continua, infers their labels with the model in force and
writes the night's table.  A file that cannot be used is *skipped*, with the reason as its label; the night goes on.
**`publish_night` is red when a person must look**: something listed has neither a result nor a rejection, or too much was
rejected.  Its log holds the summary.

Running a night again does only what is not done.  Past nights: Trigger > Backfill, or the command in the README.
"""


def nightly(telescope: str) -> DAG:
    """Wire the DAG of one telescope."""
    with DAG(
        dag_id=f"apogee_nightly_{telescope}",
        schedule=ObservingNightTimetable(telescope, SETTINGS.start_date),
        start_date=FIRST_LIGHT,
        catchup=SETTINGS.start_date is not None,
        max_active_runs=MAX_ACTIVE_RUNS,
        params=params_form(NightParameters),
        default_args=RETRIES,
        render_template_as_native_obj=True,
        doc_md=DOC.format(name=OBSERVATORIES[telescope].name),
        tags=["apogee", "nightly", telescope],
        **night_callbacks(telescope, SETTINGS),
    ) as dag:
        wait = ApStarSensor(
            task_id="wait_for_apstars",
            telescope=telescope,
            wait="{{ params.wait_hours }}",
            settle_time="{{ params.settle_seconds }}",
        )
        fetch = FetchNightOperator(task_id="fetch_apstars", telescope=telescope, use_remote="{{ params.use_remote }}")
        # Whatever became of the fetching: what is here is processed, and the leaf `fetched` below makes the run red.
        pin = PinModelOperator(task_id="pin_model", trigger_rule=TriggerRule.ALL_DONE)
        night: dict[str, Any] = {
            "telescope": telescope,
            "model_id": pin.output,
            "parameters": form_value(NightParameters),
        }
        listing = ListApStarsOperator(
            task_id="list_apstars",
            scanned_since="{{ (ti.xcom_pull('wait_for_apstars') or {}).get('scanned_since') }}",
            **night,
        )
        publish = PublishNightOperator(
            task_id="publish_night",
            trigger_rule=TriggerRule.ALL_DONE,
            inlets=[MODEL_IN_FORCE],
            outlets=[NORMALIZED_SPECTRA, LABEL_CATALOG, NIGHT_TABLES, OUTDATED_RESULTS_ALIAS],
            **night,
        )
        # Leaves of their own: when a run that was cleared cannot list its files, publishing the old listing must not be
        # green, and neither must a night be whose files could not be fetched.
        listing >> EmptyOperator(task_id="listed")
        fetch >> EmptyOperator(task_id="fetched")
        wait >> fetch >> pin
        _analyse.partial(model_id=pin.output).expand(apstar_paths=listing.output) >> publish
    return dag


@task_group(group_id="star", prefix_group_id=False)
def _analyse(apstar_paths: list[str], model_id: str | None) -> None:
    normalize_and_infer(
        apstar_paths, model_id, sum_axis="{{ none if params.visits else 0 }}", reprocess="{{ params.reprocess }}"
    )


# A task parses this file for its own DAG alone.
WANTED = get_parsing_context().dag_id
for name in OBSERVATORIES:
    if WANTED in (None, f"apogee_nightly_{name}"):
        globals()[f"apogee_nightly_{name}"] = nightly(name)
