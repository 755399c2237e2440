"""What becomes of a training set: a model that is trained, judged, and put in force by the rule or by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import TriggerRule

from apogee_cannon.acceptance_form import TOLERANCES
from apogee_cannon.assets import LABEL_CATALOG, MODEL, MODEL_IN_FORCE, TRAINING_SET
from apogee_cannon.forms import TRAINING_ARGUMENTS
from apogee_cannon.operators.approval import ApproveModelOperator
from apogee_cannon.operators.models import AcceptModelOperator
from apogee_cannon.operators.summary import PublishSummaryOperator
from apogee_cannon.operators.train import TrainCannonOperator
from apogee_cannon.operators.validate import ValidateModelOperator
from apogee_cannon.pools import TRAINING_POOL

if TYPE_CHECKING:
    from include.settings import Settings


def train_judge_accept(settings: Settings) -> TrainCannonOperator:
    """Wire the tasks of a model, from its training to the table of all stars by it; returns the first.

    The DAG has the params of :func:`apogee_cannon.forms.training_form` and
    :func:`apogee_cannon.acceptance_form.acceptance_form`.
    """
    train = TrainCannonOperator(
        task_id="train", pool=TRAINING_POOL, inlets=[TRAINING_SET], outlets=[MODEL], **TRAINING_ARGUMENTS
    )
    validate = ValidateModelOperator(task_id="validate", model_id=train.output, tolerances=TOLERANCES)
    ask = ApproveModelOperator(task_id="ask", model_id=validate.output, answer_days="{{ params.answer_days }}")
    accept = AcceptModelOperator(
        task_id="accept",
        model_id=validate.output,
        answer=ask.output,
        # A question that was not asked is skipped, and is no reason not to go on; a broken training set is.
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        inlets=[MODEL],
        outlets=[MODEL_IN_FORCE],
    )
    PublishSummaryOperator(
        task_id="publish_summary",
        model_id=accept.output,
        continuum_regions_path=str(settings.continuum_regions),
        inlets=[MODEL_IN_FORCE],
        outlets=[LABEL_CATALOG],
    )
    return train
