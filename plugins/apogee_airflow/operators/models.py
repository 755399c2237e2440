"""Which model is in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow.assets import MODEL_IN_FORCE, describe_event
from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context


class PinModelOperator(BaseOperator):
    """Return the identity of the model that is in force, for all later tasks of the run; empty when there is none.

    Clearing a mapped instance keeps the pin; clearing the whole run takes the model of that moment.
    """

    ui_color = "#fdebd0"

    def execute(self, context: Context) -> str:
        """Ask the catalogue."""
        from apogee_labels.core.identity import short
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            name = workspace.settings.model_name
            model = workspace.catalog.models.in_force(name)
        if model is None:
            self.log.warning("no model named %s is in force: spectra are normalised, labels come later", name)
            return ""  # and not None, which is no XCom: every task that takes the pin would log an error
        self.log.info("model %s is in force as %s; this run keeps it", short(model.id), name)
        return str(model.id)


class AcceptModelOperator(BaseOperator):
    """Put a validated model in force and record the verdict, where the rule or a person accepted it.

    Parameters
    ----------
    model_id
        Identity of a model that was validated (templated).
    answer
        What :class:`ApproveModelOperator` returned (templated); None: nobody was asked.

    Returns
    -------
    str
        Identity of the model, which is in force.  Where it is not, for it was refused or another one was put in force
        since, the task is skipped, and nobody is told of a model in force.
    """

    template_fields: Sequence[str] = ("model_id", "answer")
    ui_color = "#fdebd0"

    def __init__(self, *, model_id: Templated, answer: Templated = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.answer = answer

    def execute(self, context: Context) -> str:
        """Put it in force; running it again changes nothing."""
        from apogee_labels.pipeline.models.acceptance import Answer, apply_decision
        from apogee_labels.pipeline.workspace import Workspace

        answer = Answer(**self.answer) if self.answer else None
        with Workspace.open() as workspace:
            model = apply_decision(
                workspace, self.model_id, f"{context['dag_run'].dag_id} {context['dag_run'].run_id}", answer
            )
            if model is None:
                raise AirflowSkipException(f"model {self.model_id} does not come into force: the lines above say why")
            _tell(self, context, workspace.settings.model_name, model.id)
        return str(self.model_id)


class PutModelInForceOperator(BaseOperator):
    """Put a model in force because a person says so: an earlier one, one that was refused, one that waits for an answer.

    Who it was is the one who started the run.

    Parameters
    ----------
    choice
        Fields of :class:`apogee_airflow.params.forms.ModelChoice` (templated): ``model``, its identity or the first 12
        characters of it, and ``reason``, which is kept with the model.

    Returns
    -------
    str
        Identity of the model.  One that is not on record, or whose file is not whole, fails the task, and the model in force
        stays.
    """

    template_fields: Sequence[str] = ("choice",)
    ui_color = "#fdebd0"

    def __init__(self, *, choice: Templated, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choice = choice

    def execute(self, context: Context) -> str:
        """Put it in force; running it again changes nothing."""
        from apogee_airflow.outcomes import bad_input_fails
        from apogee_airflow.params.forms import ModelChoice
        from apogee_labels.pipeline.models.acceptance import put_in_force_by_hand
        from apogee_labels.pipeline.workspace import Workspace

        choice = ModelChoice(**self.choice)
        who = context["dag_run"].triggering_user_name or f"somebody, by {context['dag_run'].run_id}"
        with Workspace.open() as workspace, bad_input_fails(context, f"model {choice.model}"):
            model, _ = put_in_force_by_hand(workspace, choice.model, choice.reason, who)
            _tell(self, context, workspace.settings.model_name, model.id, choice.reason)
        return str(model.id)


def _tell(operator: BaseOperator, context: Context, name: str, model_id: str, reason: str = "accepted") -> None:
    """Say beside the asset's event which model is in force."""
    describe_event(operator, context, MODEL_IN_FORCE, model_id=model_id, name=name, reason=reason)
