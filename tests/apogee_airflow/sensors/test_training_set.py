"""Waiting for a training set on which there is no verdict."""

from __future__ import annotations

import os
import pickle
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from apogee_airflow import TrainingSetSensor
from apogee_airflow.triggers.files import signature
from apogee_labels.catalog import CatalogError
from apogee_labels.catalog.records import VerdictOutcome, VerdictRecord
from apogee_labels.core.identity import digest_bytes
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models.train import training_identity
from apogee_labels.pipeline.models.training_attempts import noted
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
    from apogee_labels.pipeline.models.acceptance import accept_model
    from apogee_labels.pipeline.models.train import train_model

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


# -- what keeps it from looking ---------------------------------------------------------------------------------------


def run_of(run_type: str) -> Any:
    return {"dag_run": SimpleNamespace(run_type=run_type, dag_id="cannon_training")}


def wait_of(pause: Any) -> timedelta:
    """How long until the sensor looks again though the file does not change."""
    return datetime.fromisoformat(pause.trigger.deadline) - datetime.now(UTC)


def test_a_link_to_the_same_content_is_not_trained_on(judged: str, path: Path) -> None:
    waiting = sensor(path)
    pause = deferred(waiting.execute, {})
    path.rename(path.with_name("kept.pkl"))
    path.symlink_to("kept.pkl")
    assert pause.trigger.settled()
    again = deferred(waiting.file_changed, {}, {"settled": True}, **pause.kwargs)
    assert not again.trigger.settled()


@pytest.mark.parametrize("fault", ["directory", "forbidden"])
def test_what_cannot_be_read_is_said_once_and_looked_at_again_later(
    path: Path, fault: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "directory":
        path.unlink()
        path.mkdir()
        age(path)
    else:

        def forbidden(*_: Any) -> str:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("apogee_labels.pipeline.models.train.digest_file", forbidden)
    waiting = sensor(path)
    pause = deferred(waiting.execute, {})
    assert not pause.trigger.settled(), "the triggerer does not wake it for what it knows"
    assert timedelta(minutes=29) < wait_of(pause) < timedelta(minutes=31)
    (line,) = [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()]
    assert "put a file there that the worker's user may read" in line
    monkeypatch.undo()
    later = deferred(waiting.file_changed, {}, {"settled": False}, **pause.kwargs) if fault == "directory" else None
    assert later is None or later.kwargs["deadline"] == pause.kwargs["deadline"], "the day ends when it was to end"


def test_a_link_to_nothing_is_said_and_waited_for(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.unlink()
    path.symlink_to("nowhere.pkl")
    pause = deferred(sensor(path).execute, {})
    assert f"no training set at {path}, a link to nowhere.pkl, which is not there: put the file there" in caplog.text
    assert not pause.trigger.settled()
    path.with_name("nowhere.pkl").write_bytes(b"x")
    age(path.with_name("nowhere.pkl"))
    assert pause.trigger.settled()


@pytest.mark.parametrize("what", ["vanishes", "changes"])
def test_a_file_that_goes_or_changes_while_it_is_digested_is_looked_at_again(
    judged: str, path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = path.read_bytes()

    def digest(_: object) -> str:
        path.unlink()
        if what == "changes":
            path.write_bytes(content + b"x")
            age(path, 60)
            return digest_bytes(content)
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr("apogee_labels.pipeline.models.train.digest_file", digest)
    waiting = sensor(path)
    pause = deferred(waiting.execute, {})
    assert pause.trigger.known == {}, "what is there now was not judged"
    monkeypatch.undo()
    if what == "vanishes":
        path.write_bytes(content + b"x")
        age(path, 60)
    assert pause.trigger.settled()
    monkeypatch.setenv("APOGEE_LABELS_DATA_DIR", str(path.parent))
    assert waiting.file_changed({}, {"settled": True}, **pause.kwargs) != judged


def test_nothing_is_digested_between_two_changes(judged: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pause = deferred(sensor(path).execute, {})
    monkeypatch.setattr("apogee_labels.core.identity.digest_file", None)
    assert [pause.trigger.settled() for _ in range(100)] == [False] * 100


def fail_training(workspace: Workspace, identity: str, fault: Exception, times: int = 1) -> None:
    for _ in range(times):
        with suppress(type(fault)), noted(workspace, identity):
            raise fault


def test_a_training_that_failed_is_waited_with_longer_each_time(
    workspace: Workspace, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    identity = training_identity(path, PARAMETERS)
    waiting = sensor(path)
    for minutes in (5, 10, 20):
        fail_training(workspace, identity, OSError(28, "No space left on device"))
        pause = deferred(waiting.execute, run_of("scheduled"))
        assert abs(wait_of(pause) - timedelta(minutes=minutes)) < timedelta(seconds=20)
        assert not pause.trigger.settled(), "it waits in the triggerer, without a slot"
    assert "tried 3 time(s)" in caplog.text
    assert "No space left on device: next try at" in caplog.text
    note = next((workspace.settings.data_dir / "training").glob(f"{identity}.json"))
    age(note, 21 * 60)
    assert waiting.file_changed(run_of("scheduled"), {"settled": False}, **pause.kwargs) == identity


def test_a_run_that_failed_after_its_training_is_waited_with_until_there_is_a_verdict(
    workspace: Workspace, path: Path
) -> None:
    """A report that cannot be written must not make this DAG, which always has a run, fail again and again."""
    identity = training_identity(path, PARAMETERS)
    assert sensor(path).execute(run_of("scheduled")) == identity
    pause = deferred(sensor(path).execute, run_of("scheduled"))
    assert abs(wait_of(pause) - timedelta(minutes=5)) < timedelta(seconds=20)
    assert sensor(path).execute(run_of("manual")) == identity
    pause = deferred(sensor(path).execute, run_of("scheduled"))
    age(next((workspace.settings.data_dir / "training").glob(f"{identity}.verdict.json")), 11 * 60)
    assert sensor(path).file_changed(run_of("scheduled"), {"settled": False}, **pause.kwargs) == identity


def test_another_content_and_other_parameters_do_not_wait(workspace: Workspace, path: Path) -> None:
    fail_training(workspace, training_identity(path, PARAMETERS), MemoryError(), times=9)
    waiting = sensor(path)
    pause = deferred(waiting.execute, run_of("scheduled"))
    assert sensor(path, order=1).execute(run_of("scheduled"))
    path.write_bytes(path.read_bytes() + b"x")
    age(path, 60)
    assert pause.trigger.settled()
    assert waiting.file_changed(run_of("scheduled"), {"settled": True}, **pause.kwargs)


def test_a_wait_does_not_outlast_the_day(workspace: Workspace, path: Path) -> None:
    fail_training(workspace, training_identity(path, PARAMETERS), MemoryError(), times=9)
    waiting = sensor(path, timeout=0)
    pause = deferred(waiting.execute, run_of("scheduled"))
    with pytest.raises(AirflowSkipException, match="nothing new"):
        waiting.file_changed(run_of("scheduled"), {"settled": False}, **pause.kwargs)


# -- runs that somebody started ---------------------------------------------------------------------------------------


def test_a_run_by_hand_tries_at_once_what_failed(workspace: Workspace, path: Path) -> None:
    identity = training_identity(path, PARAMETERS)
    fail_training(workspace, identity, MemoryError(), times=9)
    assert sensor(path).execute(run_of("manual")) == identity


def test_a_run_by_hand_does_not_wait_for_a_change(judged: str, path: Path) -> None:
    with pytest.raises(AirflowSkipException, match="the verdict is refused"):
        sensor(path).execute(run_of("manual"))
    with pytest.raises(AirflowSkipException, match="no training set at"):
        sensor(path.with_name("none.pkl")).execute(run_of("manual"))


def test_a_run_by_hand_waits_for_a_file_that_is_being_written(path: Path) -> None:
    path.touch()
    pause = deferred(sensor(path, settle_time=600).execute, run_of("manual"))
    assert pause.trigger.dag_id is None, "it makes room for nobody"
    age(path, 601)
    assert pause.trigger.settled()


def test_the_run_that_waits_makes_room_for_one_that_is_queued(judged: str, path: Path) -> None:
    waiting = sensor(path)
    pause = deferred(waiting.execute, run_of("scheduled"))
    assert pause.trigger.dag_id == "cannon_training"
    with pytest.raises(AirflowSkipException, match="is queued, and goes first"):
        waiting.file_changed(run_of("scheduled"), {"settled": False, "queued": True}, **pause.kwargs)


# -- faults -----------------------------------------------------------------------------------------------------------


def test_a_fault_is_given_an_hour_and_then_told(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that fails at once is followed by the next at once."""

    def away(*_: Any) -> None:
        raise CatalogError("the database is away")

    monkeypatch.setattr("apogee_labels.pipeline.models.train.training_due", away)
    waiting, waits = sensor(path), []
    pause = deferred(waiting.execute, run_of("scheduled"))
    for _ in range(5):
        waits.append(round(wait_of(pause) / timedelta(minutes=1)))
        pause = deferred(waiting.file_changed, run_of("scheduled"), {"settled": False}, **pause.kwargs)
    waits.append(round(wait_of(pause) / timedelta(minutes=1)))
    assert waits == [1, 2, 4, 8, 16, 32]
    assert "CatalogError: the database is away; again at" in caplog.text
    with pytest.raises(CatalogError):
        waiting.file_changed(run_of("scheduled"), {"settled": False}, **pause.kwargs)
    with pytest.raises(CatalogError):
        sensor(path).execute(run_of("manual"))


def test_a_disk_on_which_no_attempt_can_be_noted_is_a_fault(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("apogee_labels.pipeline.models.training_attempts._write", full)
    pause = deferred(sensor(path).execute, run_of("scheduled"))
    assert (pause.kwargs["faults"], round(wait_of(pause) / timedelta(minutes=1))) == (1, 1)


def test_parameters_that_are_nonsense_fail_before_anything_is_looked_at(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scatter_rule: expected one of"):
        sensor(tmp_path / "none.pkl", scatter_rule="mean").execute({})
