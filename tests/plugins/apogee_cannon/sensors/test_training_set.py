"""Waiting for a training set on which there is no verdict."""

from __future__ import annotations

import os
import pickle
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from apogee_cannon import TrainingSetSensor
from apogee_cannon.triggers.files import signature
from include.catalog.records import VerdictOutcome, VerdictRecord
from include.pipeline.identities import TrainingParameters
from include.pipeline.train import training_identity
from include.pipeline.workspace import Workspace

PARAMETERS = TrainingParameters(label_names=("TEFF", "LOGG", "FE_H"))


@pytest.fixture
def path(workspace: Workspace) -> Path:
    """The training set, quiet for an hour."""
    age(workspace.settings.training_set)
    return workspace.settings.training_set


@pytest.fixture
def judged(workspace: Workspace, path: Path) -> str:
    """The identity of the present content, on which there is a verdict."""
    identity = training_identity(path, PARAMETERS)
    judge(workspace, identity, VerdictOutcome.REFUSED)
    return identity


def judge(workspace: Workspace, identity: str, outcome: VerdictOutcome) -> None:
    workspace.catalog.record_verdict(
        VerdictRecord(identity=identity, outcome=outcome, reason="test", model_id=None, decided_by="test")
    )


def age(path: Path, seconds: float = 3600) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def sensor(path: Path, **arguments: Any) -> Any:
    return TrainingSetSensor(task_id="wait", training_set_path=str(path), label_names="TEFF,LOGG,FE_H", **arguments)


def deferred(call: Any, *arguments: Any, **keywords: Any) -> Any:
    with pytest.raises(TaskDeferred) as caught:
        call(*arguments, **keywords)
    assert caught.value.method_name == "file_changed"
    return caught.value


def test_a_content_without_a_verdict_is_due(path: Path) -> None:
    assert sensor(path).execute({}) == training_identity(path, PARAMETERS)


@pytest.mark.parametrize("outcome", VerdictOutcome)
def test_any_verdict_is_one(workspace: Workspace, path: Path, outcome: VerdictOutcome) -> None:
    if outcome is not VerdictOutcome.ACCEPTED:
        judge(workspace, training_identity(path, PARAMETERS), outcome)
        deferred(sensor(path).execute, {})
        return
    from include.pipeline.acceptance import accept_model
    from include.pipeline.train import train_model

    accept_model(workspace, train_model(workspace, path, PARAMETERS), "test")
    deferred(sensor(path).execute, {})


def test_it_waits_for_a_change_of_the_very_file_that_it_judged(judged: str, path: Path) -> None:
    pause = deferred(sensor(path, poke_interval=7, timeout=100).execute, {})
    trigger = pause.trigger
    assert (trigger.paths, trigger.poll_interval) == ([str(path)], 7)
    assert trigger.known == {str(path): signature(path)}
    assert not trigger.settled()
    assert pause.timeout > timedelta(seconds=99), "Airflow's own limit lies after the deadline"
    deadline = datetime.fromisoformat(trigger.deadline)
    assert abs(deadline - datetime.now(UTC) - timedelta(seconds=100)) < timedelta(seconds=10)


def test_a_touched_or_rewritten_file_is_woken_for_and_not_trained_on(judged: str, path: Path) -> None:
    waiting = sensor(path)
    pause = deferred(waiting.execute, {})
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    age(path, 1800)
    assert pause.trigger.settled(), "the triggerer knows size and time alone: it wakes the sensor"
    again = deferred(waiting.file_changed, {}, {"settled": True}, **pause.kwargs)
    assert again.trigger.known == {str(path): signature(path)}, "and it is not woken for the same change again"
    assert again.trigger.deadline == pause.trigger.deadline


def test_a_copy_under_another_name_is_not_trained_on(judged: str, path: Path) -> None:
    copy = path.rename(path.with_name("renamed.pkl"))
    deferred(sensor(copy).execute, {})


def test_a_changed_content_is_due_when_it_has_settled(judged: str, path: Path) -> None:
    waiting = sensor(path)
    pause = deferred(waiting.execute, {})
    content = pickle.loads(path.read_bytes())
    content["flux"] = np.asarray(content["flux"]) * 1.0001
    path.write_bytes(pickle.dumps(content))
    assert not pause.trigger.settled(), "it was written just now"
    age(path, 60)
    assert pause.trigger.settled()
    due = waiting.file_changed({}, {"settled": True}, **pause.kwargs)
    assert due == training_identity(path, PARAMETERS) != judged


def test_other_parameters_are_another_training(judged: str, path: Path) -> None:
    deferred(sensor(path, order="2", regularization="0").execute, {})
    assert sensor(path, order=1).execute({}) != judged


def test_a_file_that_is_being_written_is_waited_for(path: Path) -> None:
    path.touch()
    pause = deferred(sensor(path, settle_time=600).execute, {})
    assert pause.trigger.known == {}, "there is nothing yet that it could have judged"
    age(path, 601)
    assert pause.trigger.settled()


def test_a_missing_file_is_waited_for(path: Path) -> None:
    pause = deferred(sensor(path.with_name("none.pkl")).execute, {})
    assert not pause.trigger.settled()


def test_a_quiet_day_ends_as_a_skip(path: Path) -> None:
    with pytest.raises(AirflowSkipException, match="nothing new"):
        sensor(path).file_changed({}, {"settled": False}, deadline=datetime.now(UTC).isoformat())


def test_a_resumption_without_a_deadline_waits_anew(judged: str, path: Path) -> None:
    """`airflow dags test` resumes a task without the arguments that were deferred with it."""
    pause = deferred(sensor(path, timeout=100).file_changed, {}, {"settled": True})
    assert datetime.fromisoformat(pause.trigger.deadline) > datetime.now(UTC) + timedelta(seconds=90)


def test_the_default_wait_is_a_day() -> None:
    assert sensor(Path("t.pkl")).timeout == 86400
