"""A training set whose content changed becomes the model in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, TriggerRule

from apogee_airflow import (
    AcceptModelOperator,
    ApproveModelOperator,
    TrainCannonOperator,
    TrainingSetSensor,
    ValidateModelOperator,
)
from apogee_airflow.assets import GROUP, MODEL, MODEL_IN_FORCE, TRAINING_SET
from apogee_airflow.params.forms import TRAINING_ARGUMENTS, acceptance_form, form_value, training_form
from apogee_airflow.pools import TRAINING_POOL
from apogee_airflow.retries import RETRIES
from apogee_airflow.triggers.files import FileChangedTrigger
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.models.judgement import Tolerances

SETTINGS = Settings()

DOC = """
### Train The Cannon when the training set changes

A run starts when the training set file has changed and is quiet, and once an hour, so that nothing is forgotten.  Its first
task lets it go on when there is no verdict yet on the file's content and the parameters of the form: the same content under
another name, or with another time stamp, trains nothing, and all tasks are *skipped*.  A new content is trained on and its
model validated: by training stars that were held back, and by reference stars of the archive against the model in force.  No
worse within the tolerances of the form, it comes into force by itself; else `ask` waits for a person, under *Required
actions*, with the numbers and a link to the report.  No, or no answer in time, is recorded, and the same content is not
trained again.  Nights go on with the model in force meanwhile.  A model that comes into force wakes `cannon_reanalysis`.  A
broken training set gets a recorded verdict and leaves the run *skipped*; the model in force stays.  What fails for another
reason is tried again in the run, at growing intervals for about an hour; then the run is red, and the next one begins anew.
`cannon_model_in_force` goes back to an earlier model.
"""

TRAINING_SET_FILE = Asset(
    name="cannon_training_set_file",
    uri="apogee-cannon://training-set-file",
    group=GROUP,
    watchers=[AssetWatcher(name="training_set_file", trigger=FileChangedTrigger(str(SETTINGS.training_set)))],
)
"""Wakes the DAG when the file changed, whoever changed it."""
EVERY_HOUR = CronTriggerTimetable("0 * * * *", timezone="UTC")
"""An event may be lost: of a paused DAG, with a process that is killed.  What is due is found within the hour."""

with DAG(
    dag_id="cannon_training",
    schedule=AssetOrTimeSchedule(assets=TRAINING_SET_FILE, timetable=EVERY_HOUR),
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=training_form(SETTINGS) | acceptance_form(),
    default_args={**RETRIES, "retries": 6, "max_retry_delay": timedelta(minutes=30)},  # red within the hour
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
