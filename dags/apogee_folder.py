"""A watched folder: every apStar file that is put into it becomes stellar labels."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, TriggerRule, task_group

from apogee_airflow import (
    ApStarSensor,
    ListFolderOperator,
    PinModelOperator,
    ReportFolderOperator,
)
from apogee_airflow.analysis import normalize_and_infer
from apogee_airflow.retries import RETRIES
from apogee_labels.core.settings import Settings

SETTINGS = Settings()

DOC = """
### Every apStar file that is put into a folder

One run is always waiting (deferred: it takes no worker slot) until the folder holds apStar files whose content is not on
record, and they are quiet.  They are normalised and inferred with the model in force; `report` shows the labels.  A copy of
what was done already is done by finding it so; a file that cannot be used is *skipped* with its reason.  A day without new
files ends as one run that did nothing.

The folder must lie below the data folder or the archive: a form opens no other.
"""

PARAMS = {
    "folder": Param(
        str(SETTINGS.data_dir / "incoming"), type="string", title="Folder",
        description="Below the data folder or the archive; file names as SDSS has them (apStar-..., asStar-...).",
    ),
    "settle_seconds": Param(
        60, type="number", minimum=0, maximum=86400, title="Settled after (seconds)",
        description="A file has come when it has not changed for so long.",
    ),
    "sum_axis": Param(
        0, type=["null", "integer"], enum=[0, None], title="Stack the visits (0), or labels a visit (empty)"
    ),
}  # fmt: skip
PARAMETERS = {"continuum_regions_path": str(SETTINGS.continuum_regions), "sum_axis": "{{ params.sum_axis }}"}

with DAG(
    dag_id="apogee_folder",
    schedule="@continuous",
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args=RETRIES,
    doc_md=DOC,
    tags=["apogee", "folder"],
):
    wait = ApStarSensor(
        task_id="wait_for_apstars",
        folder="{{ params.folder }}",
        wait=24,
        settle_time="{{ params.settle_seconds }}",
        poke_interval=30,
    )
    pin = PinModelOperator(task_id="pin_model")
    listing = ListFolderOperator(
        task_id="list_folder",
        folder="{{ params.folder }}",
        model_id=pin.output,
        settle_time="{{ params.settle_seconds }}",
        **PARAMETERS,
    )

    @task_group(group_id="star", prefix_group_id=False)
    def analyse(apstar_paths: list[str], model_id: str | None) -> None:
        """The way of one file, or of a few."""
        normalize_and_infer(apstar_paths, model_id, **PARAMETERS)

    report = ReportFolderOperator(
        task_id="report",
        folder="{{ params.folder }}",
        model_id=pin.output,
        listed=listing.output,
        trigger_rule=TriggerRule.ALL_DONE,
        **PARAMETERS,
    )
    wait >> pin
    analyse.partial(model_id=pin.output).expand(apstar_paths=listing.output) >> report
