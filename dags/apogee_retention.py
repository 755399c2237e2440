"""Once a week: what normalised products take on disk, and, if asked, which of them go."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from apogee_airflow import RetainProductsOperator
from apogee_airflow.retries import RETRIES

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


def _days(title: str, default: float | None, description: str, minimum: float = 0) -> Param:
    return Param(default, type=["null", "number"], minimum=minimum, title=title, description=description)


with DAG(
    dag_id="apogee_retention",
    schedule="@weekly",
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params={
        "delete": Param(False, type="boolean", title="Delete", description="Off: only tell what would be deleted."),
        "superseded_days": _days("Superseded after (days)", 30, "Empty: products of rewritten files stay."),
        "rebuildable_days": _days(
            "Rebuildable after (days)",
            None,
            "Empty: they stay. Making one anew costs reading and normalising its file.",
        ),
        "leftover_days": _days("Leftovers after (days)", 1, "Empty: what a crash left stays.", minimum=0.05),
    },
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "disk"],
):
    RetainProductsOperator(
        task_id="retain",
        superseded_days="{{ params.superseded_days }}",
        rebuildable_days="{{ params.rebuildable_days }}",
        leftover_days="{{ params.leftover_days }}",
        delete="{{ params.delete }}",
    )
