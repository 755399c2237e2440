"""A night of apStar files becomes stellar labels: one DAG a telescope, one run an SDSS MJD."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule, get_parsing_context, task_group

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
from apogee_airflow.notifiers.notify import telling
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

PARAMS = {
    "mjd": Param(
        None, type=["null", "integer"], minimum=55000, maximum=99999, title="SDSS MJD",
        description="The night to process; empty: the night that contains the run's logical date.",
    ),
    "reprocess": Param(
        False, type="boolean", title="Do it again",
        description="Take all files of the night, also what is complete or rejected; otherwise what is not done.",
    ),
    "visits": Param(
        False, type="boolean", title="Labels of each visit",
        description="Normalise and infer each visit on its own, into a table of visits, instead of their stack.",
    ),
    "use_remote": Param(
        False, type="boolean", title="Fetch what is missing",
        description="Fetch the files that are known to be of this night and are not here from the SDSS or your mirror.",
    ),
    "wait_hours": Param(
        12, type="number", minimum=0, maximum=240, title="Wait (hours)",
        description="How long after the end of the night its files are waited for.",
    ),
    "settle_seconds": Param(
        600, type="number", minimum=0, maximum=86400, title="Settled after (seconds)",
        description="The files have come when none has changed for so long.",
    ),
    "late_nights": Param(
        14, type="integer", minimum=0, maximum=365, title="Late nights",
        description="A scheduled run also takes what came late for so many nights before its own.",
    ),
    "max_instances": Param(
        300, type="integer", minimum=1, maximum=1000, title="Mapped instances",
        description="Up to so many files, one instance a file; above, an instance takes several.",
    ),
    "backfill_batch": Param(
        64,
        type="integer",
        minimum=1,
        maximum=10000,
        title="Files an instance in a backfill",
        description="A backfill takes at least so many files an instance: it is after throughput, not a grid of stars.",
    ),
    "max_rejected_share": Param(
        0.5, type="number", minimum=0, maximum=1, title="Tolerated share of rejected files",
        description="The night is red when more than this share of its files is rejected.",
    ),
}  # fmt: skip


REGIONS = str(SETTINGS.continuum_regions)


def nightly(telescope: str) -> DAG:
    """Wire the DAG of one telescope."""
    with DAG(
        dag_id=f"apogee_nightly_{telescope}",
        schedule=ObservingNightTimetable(telescope, SETTINGS.start_date),
        start_date=FIRST_LIGHT,
        catchup=SETTINGS.start_date is not None,
        max_active_runs=MAX_ACTIVE_RUNS,
        params=PARAMS,
        default_args=RETRIES,
        doc_md=DOC.format(name=OBSERVATORIES[telescope].name),
        tags=["apogee", "nightly", telescope],
        **telling(telescope, SETTINGS),
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
        listing, publish = _ends_of_night(
            telescope=telescope, model_id=pin.output, continuum_regions_path=REGIONS, visits="{{ params.visits }}"
        )
        # Leaves of their own: when a run that was cleared cannot list its files, publishing the old listing must not be
        # green, and neither must a night be whose files could not be fetched.
        listing >> EmptyOperator(task_id="listed")
        fetch >> EmptyOperator(task_id="fetched")
        wait >> fetch >> pin
        _analyse.partial(model_id=pin.output).expand(apstar_paths=listing.output) >> publish
    return dag


def _ends_of_night(**night: Any) -> tuple[ListApStarsOperator, PublishNightOperator]:
    """Make the tasks before and after the mapped ones; `night` is what they have in common."""
    listing = ListApStarsOperator(
        task_id="list_apstars",
        late_nights="{{ params.late_nights }}",
        max_instances="{{ params.max_instances }}",
        backfill_batch="{{ params.backfill_batch }}",
        reprocess="{{ params.reprocess }}",
        settle_time="{{ params.settle_seconds }}",
        scanned_since="{{ (ti.xcom_pull('wait_for_apstars') or {}).get('scanned_since') }}",
        **night,
    )
    publish = PublishNightOperator(
        task_id="publish_night",
        max_rejected_share="{{ params.max_rejected_share }}",
        trigger_rule=TriggerRule.ALL_DONE,
        inlets=[MODEL_IN_FORCE],
        outlets=[NORMALIZED_SPECTRA, LABEL_CATALOG, NIGHT_TABLES, OUTDATED_RESULTS_ALIAS],
        **night,
    )
    return listing, publish


@task_group(group_id="star", prefix_group_id=False)
def _analyse(apstar_paths: list[str], model_id: str | None) -> None:
    normalize_and_infer(
        apstar_paths,
        model_id,
        continuum_regions_path=REGIONS,
        sum_axis="{{ none if params.visits else 0 }}",
        reprocess="{{ params.reprocess }}",
    )


# A task parses this file for its own DAG alone.
WANTED = get_parsing_context().dag_id
for name in OBSERVATORIES:
    if WANTED in (None, f"apogee_nightly_{name}"):
        globals()[f"apogee_nightly_{name}"] = nightly(name)
