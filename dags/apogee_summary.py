"""On demand: the labels of all stars as one table."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from apogee_airflow import PublishSummaryOperator
from apogee_airflow.assets import LABEL_CATALOG, MODEL_IN_FORCE
from apogee_airflow.params.forms import SummaryParameters, form_value, params_form
from apogee_airflow.retries import RETRIES

DOC = """
### The whole catalogue as a table

Writes `summary/apogeeAllStarTheCannon-<model>.fits` below the data folder, a row a star with the current labels by a model,
and `apogeeAllVisitTheCannon-<model>.fits`, a row a visit, where visits were analysed one by one.  A table whose content has
not changed is left alone.  `cannon_training` does the same for every new model.
"""

with DAG(
    dag_id="apogee_summary",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    params=params_form(SummaryParameters),
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    PublishSummaryOperator(
        task_id="publish_summary",
        parameters=form_value(SummaryParameters),
        inlets=[MODEL_IN_FORCE],
        outlets=[LABEL_CATALOG],
    )
