"""Trainings that began and have not ended well: noted, so that one that fails is not started again at once, for ever.

``cannon_training`` always has a run, and what has no verdict is due: a training that fails for another reason than a broken
training set (a full disk, too little memory, a fault of the code, a process that the kernel killed) would be due again at
once.  Its note says how often it was tried and when it last lived; the sensor waits accordingly.  Whoever clears the task or
starts a run by hand does not wait: only the sensor reads the notes.

A note is a small file below ``training/`` in the data folder, made before a training begins and removed when it ends with a
model or a verdict.  Its time stamp is the last sign of life.  A second one is made when the sensor lets a run begin, and
removed with the verdict: what fails after the training (a report, a question) would be due again at once as well.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.core.errors import BadInputError
from apogee_labels.core.files import atomic_write
from apogee_labels.core.identity import short

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=6)
"""From the end of an attempt to the next one: the first, then twice as long each time, up to the longest."""
DIGEST = "[0-9a-f]" * 64
"""A pattern of file names for a digest."""
ON_THE_WAY = ".verdict"
"""In the name of the note of a run that is to end with a verdict."""
NO_VERDICT = "no verdict: a task of it failed, or it goes on"
KEPT = timedelta(days=30)
"""A note of a training that nobody tries any more is kept so long."""


@dataclass(frozen=True)
class Attempt:
    """What is noted of a training that has not ended well."""

    count: int
    """How often it was begun since it last ended with a model or a verdict."""
    error: str
    """What the last one ended with; empty when it did not say: it is at work, or was killed."""
    last_sign: datetime
    """When the last one was last seen at work."""

    @property
    def next_try(self) -> datetime:
        """When it may be begun again."""
        doublings = min(self.count - 1, 10)
        return self.last_sign + min(FIRST_WAIT * float(2**doublings), LONGEST_WAIT)

    @property
    def sentence(self) -> str:
        """How often it was tried, and what became of it last."""
        ended = f"ended with {self.error}" if self.error else "did not say how it ended: it was killed, or is at work"
        return f"tried {self.count} time(s), and the last one, of {self.last_sign:%Y-%m-%d %H:%M:%S} UTC, {ended}"


def find_attempt(workspace: Workspace, identity: str) -> Attempt | None:
    """Return what is noted of a training; None when it was not tried, or ended with a model or a verdict."""
    return _read(_path(workspace, identity))


def find_run(workspace: Workspace, identity: str) -> Attempt | None:
    """Return what is noted of the runs that were to give a verdict; None when there was none, or it gave one."""
    return _read(_path(workspace, identity, ON_THE_WAY))


def begin_run(workspace: Workspace, identity: str) -> None:
    """Note that a run begins which is to end with a verdict.

    Raises
    ------
    OSError
        The note cannot be written.
    """
    before = find_run(workspace, identity)
    count = 1 if before is None else before.count + 1
    _write(_path(workspace, identity, ON_THE_WAY), {"count": count, "error": NO_VERDICT})


def _read(path: Path) -> Attempt | None:
    try:
        content, stamp = path.read_text(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    try:
        note = json.loads(content)
        count, error = int(note["count"]), str(note["error"])
    except (ValueError, KeyError, TypeError):
        count, error = 1, f"a note that cannot be read ({path})"
    return Attempt(max(count, 1), error, datetime.fromtimestamp(stamp, UTC))


@contextmanager
def noted(workspace: Workspace, identity: str) -> Iterator[Path]:
    """Note a training while it is at work, and how it ended unless that was with a model or a verdict.

    Yields the note, whose time stamp is to be renewed now and then (:func:`sign`).  The caller holds the lock of trainings.
    """
    before = find_attempt(workspace, identity)
    count, path = 1 if before is None else before.count + 1, _path(workspace, identity)
    if before is not None:
        log.info("training of model %s: %s; this is the next try", short(identity), before.sentence)
    _write(path, {"count": count, "error": ""})
    try:
        yield path
    except BadInputError:  # with its verdict
        forget(workspace, identity)
        raise
    except BaseException as fault:
        with suppress(OSError):  # the disk may be what is full; the note of the beginning stays
            _write(path, {"count": count, "error": f"{type(fault).__name__}: {fault}".strip(": ")})
        raise
    forget_attempt(workspace, identity)


def sign(note: Path) -> None:
    """Renew the time stamp of a note: the training is at work."""
    with suppress(OSError):
        os.utime(note)


def forget_attempt(workspace: Workspace, identity: str) -> None:
    """Remove the note of a training that has ended with a model."""
    with suppress(OSError):
        _path(workspace, identity).unlink(missing_ok=True)


def forget(workspace: Workspace, identity: str) -> None:
    """Remove all notes of a training on which there is a verdict."""
    forget_attempt(workspace, identity)
    with suppress(OSError):
        _path(workspace, identity, ON_THE_WAY).unlink(missing_ok=True)


def tidy(workspace: Workspace) -> None:
    """Remove what killed trainings left: half-written files of models and notes, and notes that are old.

    The caller holds the lock of trainings: nobody is writing a model.
    """
    notes = workspace.settings.data_dir / "training"
    left = [
        *workspace.model_path("0" * 64).parent.glob(f".{DIGEST}.fits.*.part"),
        *notes.glob(f".{DIGEST}*.json.*.part"),
    ]
    oldest = time.time() - KEPT.total_seconds()
    for path in (*left, *(note for note in notes.glob("*.json") if _stamp(note) < oldest)):
        with suppress(OSError):
            path.unlink(missing_ok=True)
            log.info("removed %s, which an earlier training left", path)


def _path(workspace: Workspace, identity: str, kind: str = "") -> Path:
    return workspace.settings.data_dir / "training" / f"{identity}{kind}.json"


def _write(path: Path, note: dict[str, object]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(note))


def _stamp(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
