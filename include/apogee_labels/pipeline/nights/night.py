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
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apogee_labels.apogee.spectra.apstar import READER_VERSION, read_header
from apogee_labels.catalog.records import ArchiveFile, FileStatus, NightFile, subject_of_path, utc_now
from apogee_labels.core.errors import BadInputError
from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.ingest.scan import scan_archive

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
UNDER_WAY = timedelta(days=1)
"""For how long what a run has listed, and not published, is left to it by the runs of other nights."""


@dataclass(frozen=True)
class NightKey:
    """One run's night."""

    telescope: str
    mjd: int
    run_id: str


@dataclass(frozen=True)
class NightLook:
    """What a look at a night tells."""

    n_files: int
    """How many of its files are here."""
    newest: datetime | None
    """When the newest of them was written."""
    n_writing: int
    """Files of the telescope that are still being written, and are of this night or may be."""
    contents: str
    """Digest of which files there are, with which contents: it changes when one comes or is rewritten."""


def look_at_night(workspace: Workspace, telescope: str, mjd: int, *, settle_time: float = 0.0) -> NightLook:
    """Scan the archive (see :func:`apogee_labels.pipeline.ingest.scan.scan_archive`): what of a night has come."""
    scan_archive(workspace, telescope, settle_time=settle_time)
    files = workspace.catalog.archive.files_of_night(telescope, mjd)
    newest = max((entry.mtime_ns for entry in files), default=None)
    return NightLook(
        len(files),
        datetime.fromtimestamp(newest / 1e9, UTC) if newest is not None else None,
        sum(_may_be_of(entry.path, mjd) for entry in workspace.catalog.archive.files_being_written(telescope)),
        digest_of(files=[[entry.path, entry.digest] for entry in files]),
    )


def _may_be_of(path: str, mjd: int) -> bool:
    """Whether a file that is not whole is of a night: its header comes first, and tells it as soon as it is there."""
    try:
        return mjd in {visit.mjd for visit in read_header(path).visits}
    except (BadInputError, OSError):
        return True


def batches(paths: Sequence[str], *, max_batches: int, at_least: int = 1) -> list[list[str]]:
    """Divide files into at most `max_batches` lists of `at_least` files or more (the last may be shorter).

    >>> batches(["a", "b", "c"], max_batches=2)
    [['a', 'b'], ['c']]
    """
    size = max(at_least, math.ceil(len(paths) / max_batches))
    return [list(paths[first : first + size]) for first in range(0, len(paths), size)]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which files a run takes besides those of its night that are due.

    Parameters
    ----------
    late_nights
        Also what came late, or was rewritten, for so many nights before.
    first_night
        From this SDSS MJD on every night has a scheduled run of its own: what no such run has listed yet is left to it.
    reprocess
        Take all files of the night, also those that are complete or rejected.
    """

    late_nights: int = 0
    first_night: int | None = None
    reprocess: bool = False


def list_night(
    workspace: Workspace,
    night: NightKey,
    identities: ResultIdentities,
    model_id: str | None,
    scope: Scope = Scope(),
    *,
    since: datetime | None = None,
    settle_time: float = 0.0,
) -> tuple[str, ...]:
    """Record which files this run is answerable for, and return the paths of those that are due.

    The night's own files are all listed.  So are those of the nights before it that came late or were rewritten (never
    normalised, and in no other run's hands), and files whose night cannot be read, once: whoever sees them first rejects
    them.  `since` and `settle_time` are the scan's.
    """
    started = time.perf_counter()
    scan_archive(workspace, night.telescope, since=since, settle_time=settle_time)
    states = states_of(
        workspace, workspace.catalog.archive.files_of_night(night.telescope, night.mjd), identities, model_id
    )
    if scope.reprocess:
        states = dict.fromkeys(states, FileStatus.DUE)
    others = states_of(
        workspace, _late(workspace, night, scope), identities, None
    )  # an older model's labels are not late
    late = {entry: state for entry, state in others.items() if state is FileStatus.DUE and entry not in states}
    states |= late
    workspace.catalog.nights.record_listing(
        night.telescope,
        night.mjd,
        night.run_id,
        model_id,
        [NightFile(path=entry.path, digest=entry.digest, state=state) for entry, state in states.items()],
    )
    due = tuple(sorted(entry.path for entry, state in states.items() if state is FileStatus.DUE))
    log.info(
        "%s, MJD %d: %d files listed, %d of them late; %d due, %d complete, %d rejected before (%.1f s)",
        night.telescope, night.mjd, len(states), len(late), len(due), *(
            sum(state is wanted for state in states.values()) for wanted in (FileStatus.COMPLETE, FileStatus.REJECTED)
        ), time.perf_counter() - started,
    )  # fmt: skip
    return due


def _late(workspace: Workspace, night: NightKey, scope: Scope) -> list[ArchiveFile]:
    """The files of the nights before, and of no known night, that this run may have to take."""
    catalog, telescope = workspace.catalog, night.telescope
    before = range(night.mjd - scope.late_nights, night.mjd)
    awaited = set(before[max(0, scope.first_night - before.start) :] if scope.first_night is not None else ())
    awaited -= catalog.nights.listed(telescope, awaited)
    # Runs that catch up together would otherwise all do the same files; what has ended, or is a day old, is no excuse.
    left = {entry.path for entry in catalog.archive.files_of_nights(telescope, awaited)}
    left |= catalog.nights.paths_under_way(telescope, night.run_id, utc_now() - UNDER_WAY)
    late = catalog.archive.files_of_nights(telescope, before) + catalog.archive.files_of_no_night(telescope)
    return [entry for entry in late if entry.path not in left]


def states_of(
    workspace: Workspace, files: Iterable[ArchiveFile], identities: ResultIdentities, model_id: str | None
) -> dict[ArchiveFile, FileStatus]:
    """Say what the catalogue knows of each file's present content; without a model, normalised is complete."""
    subjects = {entry: entry.digest or subject_of_path(entry.path) for entry in files}
    known = workspace.catalog.contents.known(subjects.values(), identities, model_id, READER_VERSION)
    complete = FileStatus.NORMALIZED if model_id is None else FileStatus.DONE
    listed = {complete: FileStatus.COMPLETE, FileStatus.REJECTED: FileStatus.REJECTED}
    return {entry: listed.get(known[subject].status, FileStatus.DUE) for entry, subject in subjects.items()}
