"""By hand: a model that a person chooses comes into force, an earlier one for instance."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from apogee_airflow import PutModelInForceOperator
from apogee_airflow.assets import MODEL_IN_FORCE
from apogee_airflow.retries import RETRIES

DOC = """
### Put a model in force by hand

The way back to an earlier model, and to one that was refused or waits for an answer.  The model is looked for on record and
its file is read; then it is in force, with your name and your reason.  Nights that begin from then on use it; those
under way end with the one they began with.  The training set is not trained on again for this.
The page Browse > Models lists the models.
"""

PARAMS = {
    "model": Param(
        type="string", pattern="^[0-9a-f]{12,64}$", title="Model",
        description="Its identity, or the first 12 characters of it, as Browse > Models shows them.",
    ),
    "reason": Param(
        type="string", minLength=3, title="Why", description="A sentence; it is kept with the model.",
    ),
}  # fmt: skip

with DAG(
    dag_id="cannon_model_in_force",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args=RETRIES,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    # Templates make text here: as native values some beginnings of identities, "12e4...", would be numbers.
    PutModelInForceOperator(
        task_id="put_in_force",
        model_id="{{ params.model }}",
        reason="{{ params.reason }}",
        outlets=[MODEL_IN_FORCE],
    )
