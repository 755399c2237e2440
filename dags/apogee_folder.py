"""A watched folder: every apStar file that is put into it becomes stellar labels."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, TriggerRule, task_group

from apogee_airflow import ApStarSensor, ListFolderOperator, PinModelOperator, ReportFolderOperator
from apogee_airflow.analysis import normalize_and_infer
from apogee_airflow.params.forms import FolderParameters, form_value, params_form
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

FOLDER = str(SETTINGS.data_dir / "incoming")
FORM = form_value(FolderParameters)

with DAG(
    dag_id="apogee_folder",
    schedule="@continuous",
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=params_form(FolderParameters, defaults={"folder": FOLDER}),
    default_args=RETRIES,
    render_template_as_native_obj=True,
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
    listing = ListFolderOperator(task_id="list_folder", model_id=pin.output, parameters=FORM)

    @task_group(group_id="star", prefix_group_id=False)
    def analyse(apstar_paths: list[str], model_id: str | None) -> None:
        """The way of one file, or of a few."""
        normalize_and_infer(apstar_paths, model_id, sum_axis="{{ params.sum_axis }}")

    report = ReportFolderOperator(
        task_id="report", model_id=pin.output, parameters=FORM, listed=listing.output, trigger_rule=TriggerRule.ALL_DONE
    )
    wait >> pin
    analyse.partial(model_id=pin.output).expand(apstar_paths=listing.output) >> report
