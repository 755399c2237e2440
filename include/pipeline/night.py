"""A night: which of its files are due, what became of them, and its table.

Takes a telescope and an SDSS MJD; a file is done already when its present content has a result by the pinned model, or a
rejection; makes the listing of a run, the night's FITS table and the summary.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include.apogee.apstar import READER_VERSION
from include.catalog.records import ArchiveFile, ListedState, NightFile, subject_of_path
from include.pipeline.identities import ResultIdentities
from include.pipeline.scan import scan_archive

if TYPE_CHECKING:
    from include.pipeline.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NightKey:
    """One run's night."""

    telescope: str
    mjd: int
    run_id: str


@dataclass(frozen=True)
class NightLook:
    """What a look at a night tells: how many of its files are here, and when the newest was written."""

    n_files: int
    newest: datetime | None


def look_at_night(workspace: Workspace, telescope: str, mjd: int) -> NightLook:
    """Scan the archive, and say what of a night has come."""
    scan_archive(workspace, telescope)
    files = workspace.catalog.files_of_night(telescope, mjd)
    newest = max((entry.mtime_ns for entry in files), default=None)
    return NightLook(len(files), datetime.fromtimestamp(newest / 1e9, UTC) if newest is not None else None)


def batches(paths: Sequence[str], *, max_batches: int, at_least: int = 1) -> list[list[str]]:
    """Divide files into at most `max_batches` lists of `at_least` files or more (the last may be shorter).

    >>> batches(["a", "b", "c"], max_batches=2)
    [['a', 'b'], ['c']]
    """
    size = max(at_least, math.ceil(len(paths) / max_batches))
    return [list(paths[first : first + size]) for first in range(0, len(paths), size)]


def list_night(
    workspace: Workspace, night: NightKey, identities: ResultIdentities, model_id: str | None, *, late_nights: int = 0
) -> tuple[str, ...]:
    """Record which files this run is answerable for, and return the paths of those that are due.

    The night's own files are all listed.  So are the files of the `late_nights` nights before it that are due (they came
    late, or were rewritten), and files whose night cannot be read, once: whoever sees them first rejects them.
    """
    started = time.perf_counter()
    scan_archive(workspace, night.telescope)
    states = _states(workspace, workspace.catalog.files_of_night(night.telescope, night.mjd), identities, model_id)
    late = [
        entry
        for mjd in range(night.mjd - late_nights, night.mjd)
        for entry in workspace.catalog.files_of_night(night.telescope, mjd)
    ]
    late += workspace.catalog.files_without_spectrum(night.telescope)
    others = _states(workspace, late, identities, None)  # an older model's labels are not late
    states |= {entry: state for entry, state in others.items() if state is ListedState.DUE and entry not in states}
    workspace.catalog.record_listing(
        night.telescope,
        night.mjd,
        night.run_id,
        model_id,
        [NightFile(path=entry.path, digest=entry.digest, state=state) for entry, state in states.items()],
    )
    due = tuple(sorted(entry.path for entry, state in states.items() if state is ListedState.DUE))
    log.info(
        "%s, MJD %d: %d files listed, %d due, %d complete, %d rejected before (%.1f s)",
        night.telescope, night.mjd, len(states), len(due), *(
            sum(state is wanted for state in states.values()) for wanted in (ListedState.COMPLETE, ListedState.REJECTED)
        ), time.perf_counter() - started,
    )  # fmt: skip
    return due


def _states(
    workspace: Workspace, files: Iterable[ArchiveFile], identities: ResultIdentities, model_id: str | None
) -> dict[ArchiveFile, ListedState]:
    """What the catalogue knows of each file's present content; without a model, normalised is complete."""
    files = list(files)
    subjects = {entry: entry.digest or subject_of_path(entry.path) for entry in files}
    expected = {entry: identities(subject, model_id) for entry, subject in subjects.items()}
    normalizations = [item.normalization_id for item in expected.values()]
    rejected = workspace.catalog.rejections([*subjects.values(), *normalizations], READER_VERSION)
    if model_id is None:
        complete = set(workspace.catalog.normalizations(normalizations))
    else:
        complete = workspace.catalog.results(item.result_id for item in expected.values() if item.result_id)

    def state(entry: ArchiveFile) -> ListedState:
        normalization, result = expected[entry]
        if (result or normalization) in complete:
            return ListedState.COMPLETE
        if subjects[entry] in rejected or normalization in rejected:
            return ListedState.REJECTED
        return ListedState.DUE

    return {entry: state(entry) for entry in files}
