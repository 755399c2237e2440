"""A folder that somebody puts apStar files into: which of them are new, and which are due.

Takes a folder outside or inside the archive, of which every file with the name of an apStar file counts; a file is done
already when its present content has a result by the model asked for, or a rejection; makes index rows, as a scan does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.archive.names import is_star_name
from apogee_labels.catalog.records import FileState, FileStatus
from apogee_labels.core.files import path_below
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.ingest.registration import FileStat, file_stat, register_arrivals
from apogee_labels.pipeline.nights.night import states_of

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

SETTLED = (FileState.PRESENT, FileState.NIGHT_UNKNOWN)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FolderLook:
    """What a look into a folder tells: how many apStar files, which are new and quiet, how many still being written."""

    n_files: int
    new: tuple[str, ...]
    n_moving: int


def watched_folder(workspace: Workspace, folder: str | Path) -> Path:
    """Return a folder that may be watched.

    Raises
    ------
    ValueError
        It lies neither below the archive nor below the data folder, links resolved: a form must not open others.
    """
    roots = [root.resolve() for root in (workspace.settings.data_dir, workspace.settings.sas_base_dir)]
    resolved = path_below(folder, roots)
    if resolved is None:
        raise ValueError(
            f"{folder} may not be watched: expected a folder below {' or '.join(str(root) for root in roots)}; "
            "put a folder there."
        )
    return resolved


def look_at_folder(workspace: Workspace, folder: str | Path, *, settle_time: float) -> FolderLook:
    """Say what of a folder's files is new, without opening one that is on record or still being written.

    Parameters
    ----------
    settle_time
        Seconds for which a file must not have changed.
    """
    stats = dict(_file_stats(watched_folder(workspace, folder)))
    known = workspace.catalog.archive.stats(stats)
    new = [
        path for path, stat in stats.items()
        if path not in known or known[path].state not in SETTLED or known[path][:2] != stat
    ]  # fmt: skip
    quiet = tuple(path for path in new if _is_quiet(path, stats[path], settle_time))
    return FolderLook(len(stats), quiet, len(new) - len(quiet))


def list_folder(
    workspace: Workspace, folder: str | Path, identities: ResultIdentities, model_id: str | None, *, settle_time: float
) -> tuple[str, ...]:
    """Put a folder's quiet files on record, and return the paths of those that are due."""
    started = time.perf_counter()
    look = look_at_folder(workspace, folder, settle_time=settle_time)
    register_arrivals(workspace, look.new)
    stats = dict(_file_stats(watched_folder(workspace, folder)))
    entries = workspace.catalog.archive.indexed(stats).values()
    states = states_of(workspace, entries, identities, model_id)
    due = tuple(sorted(entry.path for entry, state in states.items() if state is FileStatus.DUE))
    log.info(
        "%s: %d apStar files, %d new, %d still being written, %d due (%.1f s)",
        folder, look.n_files, len(look.new), look.n_moving, len(due), time.perf_counter() - started,
    )  # fmt: skip
    return due


def _file_stats(folder: Path) -> Iterator[tuple[str, FileStat]]:
    """Give the files of a folder that have the name of an apStar file, by name; nothing where there is no folder."""
    if not folder.is_dir():
        log.warning("there is no folder %s: make it, or name another", folder)
        return
    for path in sorted(folder.iterdir()):
        if is_star_name(path.name) and path.is_file():
            yield str(path), file_stat(path)


def _is_quiet(path: str, stat: FileStat, settle_time: float) -> bool:
    """Whether a file has not changed for a while, of either side of a clock that is ahead."""
    return abs(time.time() - stat.mtime_ns / 1e9) >= settle_time
