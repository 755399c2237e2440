"""On demand: the labels of all stars as one table."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from apogee_airflow import PublishSummaryOperator
from apogee_airflow.assets import LABEL_CATALOG, MODEL_IN_FORCE
from apogee_airflow.retries import RETRIES
from apogee_labels.core.settings import Settings

DOC = """
### The whole catalogue as a table

Writes `summary/apogeeAllStarTheCannon-<model>.fits` below the data folder, a row a star with the current labels by a model,
and `apogeeAllVisitTheCannon-<model>.fits`, a row a visit, where visits were analysed one by one.  A table whose content has
not changed is left alone.  `cannon_training` does the same for every new model.
"""

PARAMS = {
    "model": Param(
        None, type=["null", "string"], title="Model",
        description="Its identity, or the first 12 characters of it; empty: the model in force.",
    ),
    "visits": Param(
        True, type="boolean", title="Visits as well",
        description="A second table with a row a visit, if there are results of visits.",
    ),
}  # fmt: skip

with DAG(
    dag_id="apogee_summary",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    params=PARAMS,
    default_args=RETRIES,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    # Templates make text here: as native values some beginnings of identities, "12e4...", would be numbers.
    PublishSummaryOperator(
        task_id="publish_summary",
        continuum_regions_path=str(Settings().continuum_regions),
        model_id="{{ params.model or '' }}",
        visits="{{ params.visits }}",
        inlets=[MODEL_IN_FORCE],
        outlets=[LABEL_CATALOG],
    )
