"""Whether a training set has to be trained on."""

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

from apogee_airflow import TrainingSetSensor
from apogee_airflow.triggers.files import FilesSettledTrigger
from apogee_labels.catalog.records import VerdictOutcome, VerdictRecord
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models.acceptance import accept_model
from apogee_labels.pipeline.models.train import train_model, training_identity
from apogee_labels.pipeline.workspace import Workspace

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
    workspace.catalog.models.record_verdict(
        VerdictRecord(identity=identity, outcome=outcome, reason="test", model_id=None, decided_by="test")
    )


def age(path: Path, seconds: float = 3600) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def sensor(path: Path, **arguments: Any) -> Any:
    return TrainingSetSensor(task_id="wait", training_set_path=str(path), label_names="TEFF,LOGG,FE_H", **arguments)


def skipped(task: Any) -> str:
    with pytest.raises(AirflowSkipException) as caught:
        task.execute({})
    return str(caught.value)


def deferred(task: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        task.execute({})
    assert caught.value.method_name == "file_settled"
    return caught.value


def test_a_content_without_a_verdict_is_due(path: Path) -> None:
    assert sensor(path).execute({}) == training_identity(path, PARAMETERS)


@pytest.mark.parametrize("outcome", [VerdictOutcome.REFUSED, VerdictOutcome.BROKEN])
def test_a_no_is_a_verdict(workspace: Workspace, path: Path, outcome: VerdictOutcome) -> None:
    judge(workspace, training_identity(path, PARAMETERS), outcome)
    assert skipped(sensor(path)) == f"nothing to train on: {path}: the verdict is {outcome}"


def test_what_was_accepted_is_not_due(workspace: Workspace, path: Path) -> None:
    accept_model(workspace, train_model(workspace, path, PARAMETERS), "test")
    assert skipped(sensor(path)).endswith("the verdict is accepted")


def touch(path: Path) -> Path:
    path.touch()
    return path


def rewrite(path: Path) -> Path:
    path.write_bytes(path.read_bytes())
    return path


def rename(path: Path) -> Path:
    return path.rename(path.with_name("renamed.pkl"))


def link(path: Path) -> Path:
    path.rename(path.with_name("kept.pkl"))
    path.symlink_to("kept.pkl")
    return path


def copy_back(path: Path) -> Path:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("way", [touch, rewrite, rename, link, copy_back])
def test_the_same_content_is_not_trained_on(judged: str, path: Path, way: Any) -> None:
    path = way(path)
    age(path)
    assert skipped(sensor(path)).endswith("the verdict is refused")


def test_a_changed_content_is_due(judged: str, path: Path) -> None:
    content = pickle.loads(path.read_bytes())
    content["flux"] = np.asarray(content["flux"]) * 1.0001
    path.write_bytes(pickle.dumps(content))
    age(path)
    assert sensor(path).execute({}) == training_identity(path, PARAMETERS) != judged


def test_other_parameters_are_another_training(judged: str, path: Path) -> None:
    skipped(sensor(path, order="2", regularization="0"))
    assert sensor(path, order=1).execute({}) != judged


def test_a_training_that_left_no_verdict_is_due_again(
    workspace: Workspace, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("apogee_labels.cannon.model.CannonModel.write", full)
    with pytest.raises(OSError, match="No space left"):
        train_model(workspace, path, PARAMETERS)
    assert sensor(path).execute({}) == training_identity(path, PARAMETERS)


def test_a_file_that_is_being_written_is_waited_for(path: Path) -> None:
    path.touch()
    waiting = sensor(path, settle_time=600, poke_interval=7, timeout=100)
    pause = deferred(waiting)
    trigger = pause.trigger
    assert isinstance(trigger, FilesSettledTrigger)
    assert (trigger.paths, trigger.settle_time, trigger.poll_interval) == ([str(path)], 600, 7)
    assert trigger.deadline is not None
    deadline = datetime.fromisoformat(trigger.deadline)
    assert abs(deadline - datetime.now(UTC) - timedelta(seconds=100)) < timedelta(seconds=10)
    assert pause.timeout is not None
    assert pause.timeout > timedelta(seconds=100), "Airflow's own limit lies after the deadline"
    assert waiting.file_settled({}, {"settled": True}) == training_identity(path, PARAMETERS)


def test_one_that_is_written_for_too_long_is_left_to_the_next_run(path: Path) -> None:
    with pytest.raises(AirflowSkipException, match="still being written after 3600 s, or went"):
        sensor(path).file_settled({}, {"settled": False})


def test_a_missing_file_is_a_skip_that_says_what_to_do(path: Path) -> None:
    missing = path.with_name("none.pkl")
    assert skipped(sensor(missing)).startswith(f"no training set at {missing}: put the file there")
    path.unlink()
    path.symlink_to("nowhere.pkl")
    assert skipped(sensor(path)).startswith(
        f"no training set at {path}, a link to nowhere.pkl, which is not there: put the"
    )


@pytest.mark.parametrize("fault", ["directory", "forbidden"])
def test_what_cannot_be_read_is_red(path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person must act; trying again is for the run of the next hour, or for the file that may be read then."""
    if fault == "directory":
        path.unlink()
        path.mkdir()
        age(path)
    else:

        def forbidden(*_: Any) -> str:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("apogee_labels.pipeline.models.train.digest_file", forbidden)
    with pytest.raises(PermissionError, match="put a file there that the worker's user may read"):
        sensor(path).execute({})


def test_a_fault_that_may_pass_is_raised_for_airflow_to_try_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr("apogee_labels.pipeline.models.train.training_due", away)
    with pytest.raises(OSError, match="away"):
        sensor(path).execute({})


def test_parameters_that_are_nonsense_fail_before_anything_is_looked_at(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scatter_rule: expected one of"):
        sensor(tmp_path / "none.pkl", scatter_rule="mean").execute({})
