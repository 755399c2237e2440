"""A training set whose content changed becomes the model in force."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from apogee_cannon import AcceptModelOperator, PublishSummaryOperator, TrainCannonOperator, TrainingSetSensor
from apogee_cannon.assets import LABEL_CATALOG, MODEL, MODEL_IN_FORCE, TRAINING_SET
from apogee_cannon.forms import TRAINING_ARGUMENTS, training_form
from apogee_cannon.pools import TRAINING_POOL
from apogee_cannon.retries import RETRIES
from include.settings import Settings

SETTINGS = Settings()

DOC = """
### Train The Cannon when the training set changes

One run is always waiting (deferred: it takes no worker slot) for a training set on which there is no verdict yet: the same
content under another name, or with another time stamp, trains nothing.  A new content is trained on, its model comes into
force, and the table of all stars by it is written (`apogee_summary` writes it again on demand).  A broken training set gets
a recorded verdict and leaves the run *skipped*; the model in force stays.  A day without change ends as one skipped run.
"""

with DAG(
    dag_id="cannon_training",
    schedule="@continuous",
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=training_form(SETTINGS),
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    training_set_changed = TrainingSetSensor(task_id="training_set_changed", **TRAINING_ARGUMENTS)
    train = TrainCannonOperator(
        task_id="train", pool=TRAINING_POOL, inlets=[TRAINING_SET], outlets=[MODEL], **TRAINING_ARGUMENTS
    )
    accept = AcceptModelOperator(task_id="accept", model_id=train.output, inlets=[MODEL], outlets=[MODEL_IN_FORCE])
    PublishSummaryOperator(
        task_id="publish_summary",
        model_id=accept.output,
        continuum_regions_path=str(SETTINGS.continuum_regions),
        inlets=[MODEL_IN_FORCE],
        outlets=[LABEL_CATALOG],
    )
    training_set_changed >> train
