"""What a person is asked about a model, what each answer does, and the way back, through the DAGs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from apogee_airflow.assets import MODEL_IN_FORCE
from apogee_labels.catalog import Catalog
from apogee_labels.catalog.records import VerdictOutcome
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models.train import training_due, training_identity
from apogee_labels.pipeline.workspace import Workspace
from tests.dags.conftest import states
from tests.support.dag_runs import events_of

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]
ASKS = {"first_teff": 0.001, "order": 1}
"""With which even a good model is asked about; of first order it is trained in a moment."""


class Person:
    """Answers the question of a run, in the place of ``dag.test``'s waiting, as Airflow's API server records an answer."""

    def __init__(self, option: str, comment: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.option, self.comment = option, comment
        self.subject = self.body = ""
        sleep = time.sleep

        def answer_or_sleep(seconds: float) -> None:
            of_run = sys._getframe(1).f_globals["__name__"] == "airflow.sdk.definitions.dag"
            self.answer() if of_run else sleep(seconds)

        # In a thread of its own a person would import Airflow while the run does, and each would wait for the other.
        monkeypatch.setattr(time, "sleep", answer_or_sleep)

    def answer(self) -> None:
        """Answer what waits."""
        from airflow.models.hitl import HITLDetail
        from airflow.models.trigger import handle_event_submit
        from airflow.triggers.base import TriggerEvent
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            question = session.scalars(select(HITLDetail).where(HITLDetail.responded_at.is_(None))).one()
            instance = question.task_instance
            assert instance.state == "awaiting_input"
            self.subject, self.body = question.subject, question.body
            question.chosen_options, question.params_input = [self.option], {"comment": self.comment}
            question.responded_by, question.responded_at = {"id": "7", "name": "ada"}, datetime.now(UTC)
            handle_event_submit(
                TriggerEvent(question.as_resume_event_payload()), task_instance=instance, session=session
            )  # fmt: skip


def identity_of(installation: Settings) -> str:
    parameters = TrainingParameters(label_names=installation.label_names, order=1)
    return training_identity(installation.training_set, parameters)


def test_a_no_is_kept_the_run_is_green_and_a_person_may_still_choose_the_model(
    run_dag: RunDag, installation: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person("Reject", "too warm", monkeypatch)
    run = run_dag("cannon_training", **ASKS)
    model = identity_of(installation)
    assert person.subject == f"Put model {model[:12]} in force as giants?"
    assert f"(/apogee/models/{model})" in person.body
    assert run.state == "success"
    assert {task: states(run)[task] for task in ("validate", "ask", "accept")} == {
        "validate": ["success"], "ask": ["success"], "accept": ["skipped"],
    }  # fmt: skip
    verdict = catalog.models.verdict(model)
    assert verdict is not None
    assert (verdict.outcome, verdict.decided_by, verdict.reason) == (
        VerdictOutcome.REFUSED, "ada", "refused by ada: too warm",
    )  # fmt: skip
    assert catalog.models.in_force("giants") is None
    assert MODEL_IN_FORCE.name not in events_of(run)
    with Workspace.open(installation) as workspace:
        assert not training_due(workspace, model)[0], "the same content is not trained again"

    back = run_dag("cannon_model_in_force", model=model[:12], reason="wanted all the same")
    assert back.state == "success"
    found = catalog.models.in_force("giants")
    assert found is not None
    assert found.id == model
    (row,) = catalog.models.history("giants")
    assert (row.decided_by, row.reason) == ("dag_test", "wanted all the same")
    assert events_of(back)[MODEL_IN_FORCE.name] == {
        "model_id": model, "name": "giants", "reason": "wanted all the same",
    }  # fmt: skip


def test_a_yes_puts_the_model_in_force_and_tells_of_it(
    run_dag: RunDag, installation: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    Person("Approve", "fine", monkeypatch)
    run = run_dag("cannon_training", **ASKS)
    model = identity_of(installation)
    assert run.state == "success"
    assert states(run)["accept"] == ["success"]
    found = catalog.models.in_force("giants")
    assert found is not None
    assert found.id == model
    verdict = catalog.models.verdict(model)
    assert verdict is not None
    assert verdict.details is not None
    answer = verdict.details["answer"]
    assert isinstance(answer, dict)
    assert (verdict.decided_by, answer["by"], answer["comment"]) == ("ada", "ada", "fine")
    assert events_of(run)[MODEL_IN_FORCE.name] == {
        "model_id": model, "name": "giants", "reason": "accepted",
    }  # fmt: skip
