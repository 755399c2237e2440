"""Ask a person about a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow.links import ModelReportLink, model_page
from apogee_airflow.notifiers.notify import notify_question
from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context


class ApproveModelOperator(ApprovalOperator):
    """Ask a person whether a model that is worse, or moves labels, comes into force; waiting takes no worker slot.

    It is Airflow's approval: whoever may answer is for Airflow to say, and a viewer may not.  No answer in time is a no.

    Parameters
    ----------
    model_id
        Identity of a model that was validated (templated).
    answer_days
        Days after which no answer means no (templated).

    Returns
    -------
    dict
        What came: ``approved``, ``by``, ``at``, ``comment``.  A refusal is recorded here, and what follows is skipped.
        Where there is nothing to ask, for the rule accepts the model or there is a verdict, the task is skipped, and what
        follows is not.
    """

    template_fields: Sequence[str] = ("model_id", "answer_days")
    operator_extra_links = (ModelReportLink(),)
    ui_color = "#fad7a0"

    def __init__(self, *, model_id: Templated, answer_days: Templated = 7, **kwargs: Any) -> None:
        super().__init__(subject="Put the model in force?", defaults=self.REJECT, **kwargs)
        # Afterwards, for Airflow hands the DAG's params to the constructor; of these a question shows none.
        self.params["comment"] = Param("", type=["null", "string"], title="Why", description="Kept with the verdict.")
        self.model_id = model_id
        self.answer_days = answer_days

    def execute(self, context: Context) -> Any:
        """Ask, if there is something to ask."""
        from apogee_labels.pipeline.models.acceptance import question_open
        from apogee_labels.pipeline.models.model_page import question
        from apogee_labels.pipeline.models.model_report import read_report
        from apogee_labels.pipeline.workspace import Workspace

        days = float(self.answer_days)
        if days <= 0:
            raise ValueError(f"answer_days: expected more than 0, got {days:g}.")
        with Workspace.open() as workspace:
            is_open, reason = question_open(workspace, self.model_id)
            if not is_open:
                raise AirflowSkipException(f"nobody is asked: {reason}")
            report = read_report(workspace, self.model_id)
        if report is not None:  # what question_open read; for mypy
            self.subject, self.body = question(report.content, model_page(self.model_id), days)
            told = notify_question(self.subject, "\n".join(report.reasons), context, days)
            self.log.info("%s: %s", self.subject, told)
        self.response_timeout = timedelta(days=days)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Keep the answer; a no is recorded before anything else happens."""
        from apogee_labels.pipeline.models.acceptance import Answer, record_answer
        from apogee_labels.pipeline.workspace import Workspace

        if "error" in event:
            self.process_trigger_event_error(event)
        user = event["responded_by_user"]
        answer = Answer(
            approved=event["chosen_options"] == [self.APPROVE],
            by=(user["name"] or user["id"]) if user else None,
            at=event["responded_at"],
            comment=str((event["params_input"] or {}).get("comment") or ""),
        )
        with Workspace.open() as workspace:
            record_answer(workspace, self.model_id, answer)
        super().execute_complete(context, event)
        return answer.as_json()
