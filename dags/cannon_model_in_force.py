"""By hand: a model that a person chooses comes into force, an earlier one for instance."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from apogee_airflow import PutModelInForceOperator
from apogee_airflow.assets import MODEL_IN_FORCE
from apogee_airflow.params.forms import ModelChoice, form_value, params_form
from apogee_airflow.retries import RETRIES

DOC = """
### Put a model in force by hand

The way back to an earlier model, and to one that was refused or waits for an answer.  The model is looked for on record and
its file is read; then it is in force, with your name and your reason.  Nights that begin from then on use it; those
under way end with the one they began with.  The training set is not trained on again for this.
The page Browse > Models lists the models.
"""

with DAG(
    dag_id="cannon_model_in_force",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=params_form(ModelChoice),
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    PutModelInForceOperator(task_id="put_in_force", choice=form_value(ModelChoice), outlets=[MODEL_IN_FORCE])
