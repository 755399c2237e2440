"""Trainings that fail are noted, and waited with longer each time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models import training_attempts as subject
from apogee_labels.pipeline.models.train import train_model, training_identity
from apogee_labels.pipeline.models.training_attempts import (
    begin_run,
    find_attempt,
    find_run,
    forget,
    forget_attempt,
    noted,
    sign,
    tidy,
)
from apogee_labels.pipeline.models.training_memory import NotEnoughMemoryError
from apogee_labels.pipeline.workspace import Workspace

IDENTITY = "a" * 64


def fail(workspace: Workspace, fault: BaseException) -> None:
    with pytest.raises(type(fault)), noted(workspace, IDENTITY):
        raise fault


def test_each_failure_doubles_the_wait(workspace: Workspace) -> None:
    waits = []
    for _ in range(10):
        fail(workspace, OSError(28, "No space left on device"))
        attempt = find_attempt(workspace, IDENTITY)
        assert attempt is not None
        waits.append((attempt.next_try - attempt.last_sign) / timedelta(minutes=1))
    assert waits == [5, 10, 20, 40, 80, 160, 320, 360, 360, 360]
    assert attempt.error == "OSError: [Errno 28] No space left on device"
    assert "tried 10 time(s)" in attempt.sentence
    assert abs(attempt.last_sign - datetime.now(UTC)) < timedelta(seconds=10)


def test_a_note_goes_with_the_model_or_the_verdict(workspace: Workspace) -> None:
    fail(workspace, MemoryError())
    with noted(workspace, IDENTITY):
        attempt = find_attempt(workspace, IDENTITY)
        assert attempt is not None
        assert (attempt.count, attempt.error) == (2, "")
        assert "it was killed, or is at work" in attempt.sentence
    assert find_attempt(workspace, IDENTITY) is None
    fail(workspace, BadInputError(Reason.BAD_TRAINING_SET, "broken"))
    assert find_attempt(workspace, IDENTITY) is None
    forget(workspace, IDENTITY)


def test_the_wait_counts_from_the_last_sign_of_life(workspace: Workspace) -> None:
    """A training of three hours that the kernel kills at its end began long ago."""
    with noted(workspace, IDENTITY) as note:
        os.utime(note, (0, 0))
        killed = find_attempt(workspace, IDENTITY)
        sign(note)
        alive = find_attempt(workspace, IDENTITY)
    assert killed is not None
    assert alive is not None
    assert killed.next_try.year == 1970
    assert alive.next_try > datetime.now(UTC) + timedelta(minutes=4)


def test_a_full_disk_leaves_the_note_of_the_beginning(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def fill_the_disk() -> None:
        with noted(workspace, IDENTITY):
            monkeypatch.setattr(subject, "_write", full)
            raise MemoryError("first")

    with pytest.raises(MemoryError, match="first"):
        fill_the_disk()
    attempt = find_attempt(workspace, IDENTITY)
    assert attempt is not None
    assert (attempt.count, attempt.error) == (1, "")
    with pytest.raises(OSError, match="No space"):
        begin_run(workspace, IDENTITY)


def test_a_run_is_noted_until_there_is_a_verdict_whatever_became_of_its_training(workspace: Workspace) -> None:
    for count in (1, 2):
        begin_run(workspace, IDENTITY)
        with noted(workspace, IDENTITY):
            pass
        forget_attempt(workspace, IDENTITY)
        run = find_run(workspace, IDENTITY)
        assert run is not None
        assert (run.count, run.next_try - run.last_sign) == (count, timedelta(minutes=5 * count))
    forget(workspace, IDENTITY)
    assert find_run(workspace, IDENTITY) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"count": "many", "error": ""}', '{"count": -3, "error": ""}'])
def test_a_damaged_note_counts_as_one(workspace: Workspace, content: str) -> None:
    fail(workspace, MemoryError())
    (note,) = (workspace.settings.data_dir / "training").glob("*.json")
    note.write_text(content)
    attempt = find_attempt(workspace, IDENTITY)
    assert attempt is not None
    assert attempt.count == 1


def test_what_killed_trainings_left_is_tidied_and_nothing_else(workspace: Workspace) -> None:
    models, notes = workspace.settings.data_dir / "models", workspace.settings.data_dir / "training"
    models.mkdir()
    notes.mkdir()
    left = [models / f".{IDENTITY}.fits.x1.part", notes / f".{IDENTITY}.json.x2.part", notes / f"{'b' * 64}.json"]
    stay = [models / f"{IDENTITY}.fits", models / ".report.html.x.part", notes / f"{IDENTITY}.json"]
    for path in (*left, *stay):
        path.write_text("x")
    os.utime(left[-1], (time.time() - 31 * 86400,) * 2)
    tidy(workspace)
    assert [path.exists() for path in left] == [False] * 3
    assert all(path.exists() for path in stay)


def test_a_training_that_fails_is_noted_and_one_that_goes_well_takes_the_note_away(
    workspace: Workspace, training: TrainingParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workspace.settings.training_set
    identity = training_identity(path, training)

    def fall(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 8.00 GiB")

    with monkeypatch.context() as patched:
        patched.setattr(CannonModel, "train", fall)
        for _ in range(2):
            with pytest.raises(MemoryError):
                train_model(workspace, path, training)
    attempt = find_attempt(workspace, identity)
    assert attempt is not None
    assert (attempt.count, attempt.error) == (2, "MemoryError: Unable to allocate 8.00 GiB")
    assert workspace.catalog.models.verdict(identity) is None, "the training set is not broken"
    train_model(workspace, path, training)  # at once: only the sensor waits
    assert find_attempt(workspace, identity) is None


def test_memory_that_runs_out_while_a_pickle_is_read_is_not_its_fault(
    workspace: Workspace, training: TrainingParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    path = workspace.settings.training_set
    monkeypatch.setattr("apogee_labels.cannon.io.safe_pickle._refuse_opcodes", exhausted)
    with pytest.raises(MemoryError, match="could not be read"):
        train_model(workspace, path, training)
    assert workspace.catalog.models.verdict(training_identity(path, training)) is None


def test_a_training_above_the_bound_gets_no_verdict_and_a_note(
    workspace: Workspace, training: TrainingParameters
) -> None:
    path = workspace.settings.training_set
    small = Settings(data_dir=workspace.settings.data_dir, training_memory_gb=0.1)
    with (
        Workspace.open(small) as bounded,
        pytest.raises(NotEnoughMemoryError, match=r"about 0\.\d GB, and may take 0\.1"),
    ):
        train_model(bounded, path, training)
    identity = training_identity(path, training)
    assert workspace.catalog.models.verdict(identity) is None
    attempt = find_attempt(workspace, identity)
    assert attempt is not None
    assert attempt.error.startswith("NotEnoughMemoryError: training on ")


def test_a_model_that_was_made_meanwhile_takes_the_note_away(
    workspace: Workspace, training: TrainingParameters, put_model: Callable[[Workspace], str], tmp_path: Path
) -> None:
    identity = put_model(workspace)
    with pytest.raises(MemoryError), noted(workspace, identity):
        raise MemoryError
    shutil.copy(workspace.settings.training_set, tmp_path / "copy.pkl")
    assert train_model(workspace, tmp_path / "copy.pkl", training) == identity
    assert find_attempt(workspace, identity) is None
