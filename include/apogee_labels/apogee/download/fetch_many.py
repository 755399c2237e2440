"""Fetching many files at once: each verified on its own, and none that fails keeps another from coming."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.download.fetch import fetch_apstar, is_good
from apogee_labels.apogee.download.remote import FetchError, remote_client
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.progress import with_progress

if TYPE_CHECKING:
    import httpx

    from apogee_labels.apogee.archive.archive import ApStarKeys, Archive

log = logging.getLogger(__name__)

TRIES = 3
"""Times that a file is tried when there is trouble that may pass."""
FIRST_PAUSE = 1.0
"""Seconds before the second try; twice as long before each later one."""
LONGEST_PAUSE = 60.0
"""Seconds that a server may ask to be left alone (Retry-After) before it is tried again."""


class FetchOutcome(StrEnum):
    """What became of a file that was asked for."""

    FETCHED = "fetched"  # it came, whole and readable
    WAS_HERE = "was_here"  # a readable file was here before
    NOT_AT_REMOTE = "not_at_remote"  # the server has no such file: a result, until it has
    BAD = "bad"  # it came whole, and is no apStar file that can be read: a result
    REFUSED = "refused"  # the server wants other credentials, or a folder cannot be written: a person must act
    FAILED = "failed"  # trouble that may pass


@dataclass(frozen=True)
class Fetched:
    """One file that was asked for.

    Parameters
    ----------
    keys, path
        The file, and where it is or would be.
    outcome
        What became of it.
    error
        What was raised, where it is not here.
    """

    keys: ApStarKeys
    path: Path
    outcome: FetchOutcome
    error: Exception | None = None


def fetch_many(
    archive: Archive,
    wanted: Sequence[ApStarKeys],
    *,
    remote_base: str | None = None,
    parallel: int = 4,
    tries: int = TRIES,
) -> list[Fetched]:
    """Make sure that files are in the local archive, fetching those that are not, several at a time.

    All share one pool of connections, which are kept open from file to file.  Trouble that may pass is tried again after a
    pause.

    Parameters
    ----------
    archive
        The local archive.
    wanted
        The files.
    remote_base
        Scheme and host of a server with the archive under ``/sas``; default: SDSS's own for the release.
    parallel
        Transfers at a time.
    tries
        How often each is tried.

    Returns
    -------
    list of Fetched
        What became of each, in the order asked for.

    Raises
    ------
    PermissionError
        ``~/.netrc`` is there and cannot be read.
    ValueError
        `remote_base` is no URL of a server, or `parallel` is below 1.
    """
    started = time.perf_counter()
    stop = threading.Event()
    done: dict[int, Fetched] = {}
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="fetch")
    with remote_client(parallel) as client:
        transfer = _Transfer(archive, client, remote_base, tries, stop)
        try:
            jobs = {pool.submit(transfer.fetch, keys): number for number, keys in enumerate(wanted)}
            for job in with_progress(as_completed(jobs), len(jobs), "files that are fetched", log):
                done[jobs[job]] = job.result()
        finally:  # a task that is stopped begins nothing more
            stop.set()
            pool.shutdown(cancel_futures=True)
    files = [done[number] for number in sorted(done)]
    _log_summary(files, time.perf_counter() - started)
    return files


@dataclass(frozen=True)
class _Transfer:
    """What the threads share."""

    archive: Archive
    client: httpx.Client
    remote_base: str | None
    tries: int
    stop: threading.Event

    def fetch(self, keys: ApStarKeys) -> Fetched:
        path = self.archive.path(keys)
        try:
            outcome = FetchOutcome.WAS_HERE
            if not is_good(path):
                self._fetch(keys)
                outcome = FetchOutcome.FETCHED
        except (BadInputError, OSError) as error:
            log.warning("%s: %s", keys.obj, error)
            return Fetched(keys, path, _outcome_of(error), error)
        return Fetched(keys, path, outcome)

    def _fetch(self, keys: ApStarKeys) -> None:
        """Fetch a file, trying again after a pause, until it has come or it is of no use."""
        for n_left in reversed(range(self.tries)):
            try:
                fetch_apstar(self.archive, keys, remote_base=self.remote_base, client=self.client)
                return
            except FetchError as error:
                pause = max(FIRST_PAUSE * 2 ** (self.tries - 1 - n_left), error.retry_after or 0.0)
                if n_left == 0 or pause > LONGEST_PAUSE or self.stop.wait(pause):
                    raise
                log.info("%s: %s Trying again after %.0f s.", keys.obj, error, pause)


def _outcome_of(error: Exception) -> FetchOutcome:
    if isinstance(error, BadInputError):
        return FetchOutcome.NOT_AT_REMOTE if error.reason is Reason.NOT_AT_REMOTE else FetchOutcome.BAD
    return FetchOutcome.REFUSED if isinstance(error, PermissionError) else FetchOutcome.FAILED


def _log_summary(files: Sequence[Fetched], seconds: float) -> None:
    counts = {outcome: sum(each.outcome is outcome for each in files) for outcome in FetchOutcome}
    found = ", ".join(f"{n_files} {outcome}" for outcome, n_files in counts.items() if n_files)
    log.info("%d files asked for: %s (%.1f s)", len(files), found or "none", seconds)
