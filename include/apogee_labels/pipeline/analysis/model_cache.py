"""Models that this process has read, kept for as long as their files are what they were.

A model's name is its identity, so that a file with the same stamps holds the same model.  The parents of tasks read the
newest one beforehand: reading it takes a task of one file longer than inferring its labels.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.core.errors import BadInputError

if TYPE_CHECKING:
    from apogee_labels.cannon.model import CannonModel

KEPT = 2
"""Models that a process keeps: the one in force, and one that is held against it."""


def read_cached(path: Path) -> CannonModel:
    """Read a model's file, unless this process or its parent has.

    Raises
    ------
    BadInputError
        ``BAD_MODEL``: it is damaged, cut short, or no model.
    OSError
        It is not there or cannot be read.
    """
    status = path.stat()
    return _read(path, (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino))


def preload_newest(folder: Path) -> None:
    """Read the newest model of a folder, if one can be read, for the processes that are forked from this one."""
    with suppress(BadInputError, OSError):
        paths = sorted(folder.glob("*.fits"), key=lambda path: path.stat().st_mtime_ns)
        for path in paths[-1:]:
            read_cached(path)


@lru_cache(maxsize=KEPT)
def _read(path: Path, stamps: tuple[int, ...]) -> CannonModel:
    from apogee_labels.cannon.model import CannonModel

    return CannonModel.read(path)
