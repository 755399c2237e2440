"""By hand: a model is trained with what a form says, judged, and put in force by the rule or by a person."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from apogee_cannon.acceptance_form import acceptance_form
from apogee_cannon.forms import training_form
from apogee_cannon.new_model import train_judge_accept
from apogee_cannon.retries import RETRIES
from include.settings import Settings

SETTINGS = Settings()

DOC = """
### Train a model now, with other labels or parameters

`cannon_training` watches the training set and trains with the installation's settings; a run of it that is started by hand
waits until its watching run ends.  This DAG has the same form and the same tasks, and begins at once.  A model that
exists under its training set and parameters is not trained again; one that has a verdict is not asked about again.
To put a model in force whatever its verdict, run `cannon_model_in_force`.
"""

with DAG(
    dag_id="cannon_train",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    params=training_form(SETTINGS) | acceptance_form(),
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    train_judge_accept(SETTINGS)
