"""Once a week: what normalised products take on disk, and, if asked, which of them go."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from apogee_airflow import RetainProductsOperator
from apogee_airflow.params.forms import form_value, params_form
from apogee_airflow.retries import RETRIES
from apogee_labels.pipeline.parameters import RetentionPolicy

DOC = """
### Normalised products on disk

The report (in the task's log and as its return value) counts files and bytes of each kind:

| kind | what it is | deleted |
|---|---|---|
| rebuildable | its content is in the archive: it can be made anew | from `rebuildable_days` on, if that is set |
| last | the last content of a file that is gone from the archive | never |
| superseded | its file was rewritten since, or another version of the method made it | from `superseded_days` on |
| orphan, part | what a crash left | from `leftover_days` on |

**A dry run unless `delete` is on.**  The weekly runs only report, too; delete by hand, or by a scheduled command
(`apogee-labels retention --delete`), once the report says what you expect.
A product that is deleted and asked for again is made anew.  Results in the catalogue are never touched.
"""


DELETE = Param(False, type="boolean", title="Delete", description="Off: only tell what would be deleted.")

with DAG(
    dag_id="apogee_retention",
    schedule="@weekly",
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params={"delete": DELETE} | params_form(RetentionPolicy),
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "disk"],
):
    RetainProductsOperator(task_id="retain", policy=form_value(RetentionPolicy), delete="{{ params.delete }}")
