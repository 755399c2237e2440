"""A training set whose content changed becomes the model in force."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, TriggerRule

from apogee_airflow import (
    AcceptModelOperator,
    ApproveModelOperator,
    TrainCannonOperator,
    TrainingSetSensor,
    ValidateModelOperator,
)
from apogee_airflow.assets import MODEL, MODEL_IN_FORCE, TRAINING_SET
from apogee_airflow.params.forms import TRAINING_ARGUMENTS, acceptance_form, form_value, training_form
from apogee_airflow.pools import TRAINING_POOL
from apogee_airflow.retries import RETRIES
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.models.judgement import Tolerances

SETTINGS = Settings()

DOC = """
### Train The Cannon when the training set changes

One run is always waiting (deferred: it takes no worker slot) for a training set on which there is no verdict yet: the same
content under another name, or with another time stamp, trains nothing.  A new content is trained on and its model validated:
by training stars that were held back, and by reference stars of the archive against the model in force.  No worse within the
tolerances of the form, it comes into force by itself; else `ask` waits for a person, under *Required actions*, with the
numbers and a link to the report.  No, or no answer in time, is recorded, and the same content is not trained again.  Nights
go on with the model in force meanwhile.  A model that comes into force wakes `cannon_reanalysis`.
A broken training set gets a recorded verdict and leaves the run *skipped*; the model in force stays.  A day without change
ends as one skipped run.  `cannon_model_in_force` goes back to an earlier model.
"""

with DAG(
    dag_id="cannon_training",
    schedule="@continuous",
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=training_form(SETTINGS) | acceptance_form(),
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    training_set_changed = TrainingSetSensor(task_id="training_set_changed", **TRAINING_ARGUMENTS)
    train = TrainCannonOperator(
        task_id="train", pool=TRAINING_POOL, inlets=[TRAINING_SET], outlets=[MODEL], **TRAINING_ARGUMENTS
    )
    validate = ValidateModelOperator(task_id="validate", model_id=train.output, tolerances=form_value(Tolerances))
    ask = ApproveModelOperator(task_id="ask", model_id=validate.output, answer_days="{{ params.answer_days }}")
    AcceptModelOperator(
        task_id="accept",
        model_id=validate.output,
        answer=ask.output,
        # A question that was not asked is skipped, and is no reason not to go on; a broken training set is.
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        inlets=[MODEL],
        outlets=[MODEL_IN_FORCE],
    )
    training_set_changed >> train
