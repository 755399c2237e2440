"""Training as a task."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow import AcceptModelOperator, PinModelOperator, TrainCannonOperator, ValidateModelOperator
from apogee_labels.catalog.records import VerdictOutcome
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models.train import training_identity
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_airflow.conftest import MakeContext


def train(workspace: Workspace, context: Any, **arguments: Any) -> str:
    arguments = {"training_set_path": str(workspace.settings.training_set), "label_names": "TEFF,LOGG,FE_H"} | arguments
    return TrainCannonOperator(task_id="train", **arguments).execute(context)


def test_a_model_is_made_once(workspace: Workspace, make_context: MakeContext) -> None:
    first = train(workspace, make_context())
    written = workspace.model_path(first).stat().st_mtime_ns
    again = train(workspace, make_context(), label_names=["TEFF", "LOGG", "FE_H"], order="2", regularization="0.0")
    assert again == first
    assert workspace.model_path(first).stat().st_mtime_ns == written
    expected = TrainingParameters(label_names=("TEFF", "LOGG", "FE_H"))
    assert first == training_identity(workspace.settings.training_set, expected)


def test_a_broken_training_set_is_a_skip_and_a_verdict(workspace: Workspace, make_context: MakeContext) -> None:
    workspace.settings.training_set.write_bytes(b"not a pickle")
    context = make_context()
    for _ in range(2):
        with pytest.raises(AirflowSkipException):
            train(workspace, context)
    assert context["label"] == f"training set {workspace.settings.training_set}: bad_training_set"
    parameters = TrainingParameters(label_names=("TEFF", "LOGG", "FE_H"))
    verdict = workspace.catalog.models.verdict(training_identity(workspace.settings.training_set, parameters))
    assert verdict is not None
    assert verdict.outcome is VerdictOutcome.BROKEN


def test_a_label_that_the_set_does_not_have_is_a_skip(workspace: Workspace, make_context: MakeContext) -> None:
    with pytest.raises(AirflowSkipException, match="MG_H"):
        train(workspace, make_context(), label_names="TEFF,MG_H")


def test_arguments_that_are_no_numbers_fail_at_once(workspace: Workspace, make_context: MakeContext) -> None:
    with pytest.raises(ValueError, match="two"):
        train(workspace, make_context(), order="two")


def test_nonsense_fails_at_once_and_says_what_was_expected(workspace: Workspace, make_context: MakeContext) -> None:
    with pytest.raises(ValueError, match="censors: expected labels of TEFF, LOGG, FE_H, got MG_H"):
        train(workspace, make_context(), censors='{"MG_H": [[15200, 15300]]}')
    assert not (workspace.settings.data_dir / "models").exists()


def test_a_kill_that_comes_when_nothing_is_trained_raises_nothing() -> None:
    """Airflow asks for it after a time-out, too, when the training is over."""
    TrainCannonOperator(task_id="train", training_set_path="t.pkl", label_names="TEFF").on_kill()


def test_a_model_comes_into_force_and_is_pinned(workspace: Workspace, model_id: str, make_context: MakeContext) -> None:
    pin: Any = PinModelOperator(task_id="pin")
    validate: Any = ValidateModelOperator(task_id="validate", model_id=model_id)
    accept: Any = AcceptModelOperator(task_id="accept", model_id=validate.execute(make_context()))
    assert pin.execute(make_context()) == ""
    assert [accept.execute(make_context()) for _ in range(2)] == [model_id, model_id]
    assert pin.execute(make_context()) == model_id
    verdict = workspace.catalog.models.verdict(model_id)
    assert verdict is not None
    assert (verdict.outcome, verdict.decided_by) == (VerdictOutcome.ACCEPTED, "a_dag manual__test")


def test_the_pin_is_of_the_installation_s_own_name(
    workspace: Workspace, model_id: str, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.catalog.models.put_in_force("giants", model_id, "test")
    monkeypatch.setenv("APOGEE_LABELS_MODEL_NAME", "dwarfs")
    pin: Any = PinModelOperator(task_id="pin")
    assert pin.execute(make_context()) == ""
