"""A model is judged, asked about, accepted and put back, each as a task by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput

from apogee_airflow import AcceptModelOperator, ApproveModelOperator, PutModelInForceOperator, ValidateModelOperator
from apogee_airflow.assets import MODEL_IN_FORCE
from apogee_airflow.links import ModelReportLink
from apogee_airflow.params.forms import acceptance_form
from apogee_labels.catalog.records import VerdictOutcome
from apogee_labels.pipeline.models.judgement import Tolerances
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_airflow.conftest import MakeContext
from tests.support.mail_server import told_by_mail

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STRICT = {"first_teff": "0.001"}


def with_events(context: dict[str, Any]) -> dict[str, Any]:
    """A context that takes events of assets."""
    return context | {"outlet_events": {MODEL_IN_FORCE: SimpleNamespace(extra={})}}


def event(*chosen: str, user: str | None = "ada", comment: str = "") -> dict[str, Any]:
    """What Airflow hands on of an answer."""
    by = {"id": "1", "name": user} if user else None
    return {
        "chosen_options": list(chosen), "params_input": {"comment": comment}, "responded_at": AT, "responded_by_user": by,
    }  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The questions that Airflow is told to show."""
    questions: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **question: questions.append(question)
    )
    return questions


def context_of(make_context: MakeContext) -> dict[str, Any]:
    return make_context() | {"task_instance": SimpleNamespace(id="ti")}


def validate(model_id: str, context: dict[str, Any], **tolerances: Any) -> Any:
    return ValidateModelOperator(task_id="validate", model_id=model_id, tolerances=tolerances).execute(context)  # type: ignore[arg-type]


def test_a_model_that_is_within_the_limits_is_not_asked_about(
    workspace: Workspace, model_id: str, make_context: MakeContext, asked: list[dict[str, Any]]
) -> None:
    assert validate(model_id, make_context()) == model_id
    assert workspace.report_path(model_id, "html").exists()
    ask: Any = ApproveModelOperator(task_id="ask", model_id=model_id)
    with pytest.raises(AirflowSkipException, match="nobody is asked: The first model of its name is within the limits"):
        ask.execute(context_of(make_context))
    context = with_events(make_context())
    accept: Any = AcceptModelOperator(task_id="accept", model_id=model_id, outlets=[MODEL_IN_FORCE])
    assert accept.execute(context) == model_id
    assert context["outlet_events"][MODEL_IN_FORCE].extra == {
        "model_id": model_id, "name": "giants", "reason": "accepted",
    }  # fmt: skip
    assert asked == []


def test_the_question_has_the_numbers_and_waits_as_long_as_the_form_says(
    model_id: str, make_context: MakeContext, asked: list[dict[str, Any]]
) -> None:
    validate(model_id, make_context(), **STRICT)
    ask: Any = ApproveModelOperator(task_id="ask", model_id=model_id, answer_days="2")
    with pytest.raises(TaskAwaitingInput) as waiting:
        ask.execute(context_of(make_context))
    assert waiting.value.timeout == timedelta(days=2)
    (question,) = asked
    assert question["subject"] == f"Put model {model_id[:12]} in force as giants?"
    assert "the first model may have 0.001 K" in question["body"]
    assert f"(/apogee/models/{model_id})" in question["body"]
    assert (question["options"], question["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert list(question["params"]) == ["comment"]


def test_whom_the_settings_name_is_written_to_and_a_mail_server_that_is_down_keeps_no_question_back(
    model_id: str, make_context: MakeContext, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    validate(model_id, make_context(), **STRICT)
    ask: Any = ApproveModelOperator(task_id="ask", model_id=model_id, answer_days="2")
    context = context_of(make_context) | {"ti": SimpleNamespace(id="ti", task_id="ask")}
    with told_by_mail(monkeypatch) as server, pytest.raises(TaskAwaitingInput):
        ask.execute(context)
    assert server.messages[0]["Subject"] == f"[APOGEE] Put model {model_id[:12]} in force as giants?"
    assert "the first model may have 0.001 K" in server.text(0)
    assert "/tasks/ask/required_actions" in server.text(0)
    with pytest.raises(TaskAwaitingInput):  # there is no server any more
        ask.execute(context)
    assert len(asked) == 2


def test_a_yes_is_handed_on_and_recorded_when_the_model_is_in_force(
    workspace: Workspace, model_id: str, make_context: MakeContext
) -> None:
    validate(model_id, make_context(), **STRICT)
    ask: Any = ApproveModelOperator(task_id="ask", model_id=model_id)
    answer = ask.execute_complete(context_of(make_context), event("Approve", comment="looks good"))
    assert answer == {"approved": True, "by": "ada", "at": "2026-03-01T12:00:00+00:00", "comment": "looks good"}
    assert workspace.catalog.models.verdict(model_id) is None
    accept: Any = AcceptModelOperator(task_id="accept", model_id=model_id, answer=answer, outlets=[MODEL_IN_FORCE])
    assert accept.execute(with_events(make_context())) == model_id
    verdict = workspace.catalog.models.verdict(model_id)
    assert verdict is not None
    assert (verdict.decided_by, verdict.reason) == ("ada", "approved by ada: looks good")


@pytest.mark.parametrize(("user", "by"), [("ada", "ada"), (None, "no answer in time")])
def test_a_no_is_recorded_at_once_and_nothing_comes_into_force(
    workspace: Workspace, model_id: str, make_context: MakeContext, user: str | None, by: str
) -> None:
    validate(model_id, make_context(), **STRICT)
    ask: Any = ApproveModelOperator(task_id="ask", model_id=model_id)
    answer = ask.execute_complete(context_of(make_context), event("Reject", user=user))
    verdict = workspace.catalog.models.verdict(model_id)
    assert verdict is not None
    assert (verdict.outcome, verdict.decided_by) == (VerdictOutcome.REFUSED, by)
    context = with_events(make_context())
    accept: Any = AcceptModelOperator(task_id="accept", model_id=model_id, answer=answer, outlets=[MODEL_IN_FORCE])
    with pytest.raises(AirflowSkipException, match="does not come into force"):
        accept.execute(context)
    assert context["outlet_events"][MODEL_IN_FORCE].extra == {}
    assert workspace.catalog.models.in_force("giants") is None


def test_a_model_that_nobody_answered_about_does_not_come_into_force(
    workspace: Workspace, model_id: str, make_context: MakeContext
) -> None:
    """Somebody marked the question as a success by hand."""
    validate(model_id, make_context(), **STRICT)
    accept: Any = AcceptModelOperator(task_id="accept", model_id=model_id, answer=None)
    with pytest.raises(AirflowSkipException):
        accept.execute(with_events(make_context()))
    assert workspace.catalog.models.verdict(model_id) is None, "it is asked about again"


def test_a_person_puts_a_model_in_force_under_their_name(
    workspace: Workspace, model_id: str, make_context: MakeContext
) -> None:
    context = with_events(make_context())
    context["dag_run"].triggering_user_name = "grace"
    put: Any = PutModelInForceOperator(
        task_id="put", choice={"model": model_id[:12], "reason": "it was better"}, outlets=[MODEL_IN_FORCE]
    )
    assert [put.execute(context) for _ in range(2)] == [model_id, model_id]
    assert context["outlet_events"][MODEL_IN_FORCE].extra == {
        "model_id": model_id, "name": "giants", "reason": "it was better",
    }  # fmt: skip
    (row,) = workspace.catalog.models.history("giants")
    assert (row.model_id, row.decided_by, row.reason) == (model_id, "grace", "it was better")


def test_a_model_that_is_not_whole_fails_at_once_and_says_nothing(
    workspace: Workspace, model_id: str, make_context: MakeContext
) -> None:
    context = with_events(make_context())
    context["dag_run"].triggering_user_name = "grace"
    workspace.model_path(model_id).write_bytes(b"half")
    put: Any = PutModelInForceOperator(
        task_id="put", choice={"model": model_id, "reason": "it was better"}, outlets=[MODEL_IN_FORCE]
    )
    with pytest.raises(AirflowFailException):
        put.execute(context)
    assert context["outlet_events"][MODEL_IN_FORCE].extra == {}


def test_tolerances_that_are_none_fail_before_anything_is_done(make_context: MakeContext) -> None:
    with pytest.raises(ValueError, match="rms_percent"):
        validate("m", make_context(), rms_percent=-1)
    ask: Any = ApproveModelOperator(task_id="ask", model_id="m", answer_days="0")
    with pytest.raises(ValueError, match="answer_days"):
        ask.execute(context_of(make_context))


def test_the_form_has_every_tolerance_with_its_default() -> None:
    form = acceptance_form()
    assert {name: form[name].value for name in Tolerances.model_fields} == Tolerances().as_json()
    assert form["answer_days"].value == 7


def test_the_link_leads_to_the_model() -> None:
    task = ValidateModelOperator(task_id="v", model_id="abc")
    assert [type(link) for link in task.operator_extra_links] == [ModelReportLink]
    link: Callable[..., str] = ModelReportLink().get_link
    assert link(task, ti_key=SimpleNamespace()) == "/apogee/models/abc"
