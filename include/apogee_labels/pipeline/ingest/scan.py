"""Bring the catalogue's index of the archive up to date.

Takes the archive's tree; done already for every file whose size and time stamp are those on record; makes an index row a
path, and a spectrum row (star, visits) for each content that was never seen.

A file that is still being written is known as such and no run takes it: it changes while it is read, or it was changed a
moment ago, or lately and is not whole, and has grown when it is looked at once more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.catalog.records import ArchiveFile, FileState, SpectrumRecord
from apogee_labels.fits.content import is_whole
from apogee_labels.pipeline.ingest.registration import FileStat, entry_of, file_stat, read_arrival

if TYPE_CHECKING:
    from apogee_labels.apogee.archive.archive import Archive, FoundFile
    from apogee_labels.catalog.queries.archive import IndexedStat
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
CHUNK = 5000
"""Files that are compared with the index at once: what a scan holds in memory does not grow with the archive."""
FLUSH_EVERY = 500
"""New files after which a scan writes its index."""
REPORT_EVERY = 10.0
"""Seconds between two lines of progress."""
GROWTH_SECONDS = 2.0
"""How long a scan waits, once, before it looks again at files that may still be growing."""
JUST_NOW = 2.0
"""Seconds since its last change in which a file may be growing although it is whole."""


@dataclass(frozen=True)
class Scan:
    """What a scan found.

    Files seen, those new or changed since the last one, those gone, those that are still being written; how long it took;
    whether an earlier one was reused, which found all that itself.
    """

    n_seen: int
    n_changed: int
    n_gone: int
    seconds: float
    n_writing: int = 0
    reused: bool = False


def scan_archive(
    workspace: Workspace, telescope: str, *, since: datetime | None = None, settle_time: float = 0.0
) -> Scan:
    """Index a telescope's files; one scan at a time.

    Parameters
    ----------
    telescope
        ``apo25m``, ``lco25m`` or another.
    since
        A scan that began after this moment serves as well (default: after this call, while it waited for its turn).
    settle_time
        Seconds after its last change for which a file that is not whole, or was changed just now, may still be growing.
    """
    asked = since.timestamp() if since else time.time()
    with workspace.lock(f"scan-{telescope}") as note:
        began = float(note.read_text() or 0)
        if asked <= began <= time.time():  # a note of the future is a clock's that was ahead
            log.info("%s: the scan of %.0f s ago is reused", telescope, time.time() - began)
            return Scan(0, 0, 0, 0.0, reused=True)
        began = time.time()
        result = _scan(workspace, workspace.archive(), telescope, settle_time)
        note.write_text(repr(began))
    log.info(
        "%s: %d files in the archive, %d new or changed, %d gone, %d still being written; scanned in %.1f s",
        telescope, result.n_seen, result.n_changed, result.n_gone, result.n_writing, result.seconds,
    )  # fmt: skip
    return result


def _scan(workspace: Workspace, archive: Archive, telescope: str, settle_time: float) -> Scan:
    started = time.perf_counter()
    if not archive.root.is_dir():
        # Nothing is marked as gone: a disk that is not mounted has lost no file.
        log.warning("there is no archive at %s: mount it, or set SAS_BASE_DIR", archive.root)
        return Scan(0, 0, 0, time.perf_counter() - started)
    progress = _progress(telescope)
    arrivals = _Arrivals(workspace, archive, settle_time)
    n_seen = n_known = 0
    n_before = workspace.catalog.archive.count(telescope)
    walk = archive.walk(telescope)
    while chunk := list(islice(walk, CHUNK)):
        known = workspace.catalog.archive.stats(found.path for found in chunk)
        for found in chunk:
            indexed = known.get(found.path)
            if _leads_nowhere(found, indexed):
                continue
            n_seen += 1
            n_known += indexed is not None and indexed.state is not FileState.GONE
            if not _is_unchanged(found, indexed):
                arrivals.open(found, indexed)
            progress(n_seen, arrivals.n_changed)
    arrivals.look_again()
    # Each file that was there is one that was seen, or is looked for: most scans look for none.
    gone = _gone(workspace, telescope) if n_known < n_before else []
    workspace.catalog.archive.mark_gone(gone)
    return Scan(n_seen, arrivals.n_changed, len(gone), time.perf_counter() - started, arrivals.n_writing)


def _gone(workspace: Workspace, telescope: str) -> list[str]:
    """Paths of the index where there is nothing now.  Those of other releases are not walked, but they may be there."""
    return [path for path in workspace.catalog.archive.paths(telescope) if not Path(path).exists()]


def _leads_nowhere(found: FoundFile, known: IndexedStat | None) -> bool:
    """Whether a link to a content that is on record leads nowhere, perhaps for a moment: it is gone, and not bad."""
    return not found.is_file and known is not None and known.digest is not None and not Path(found.path).exists()


def _is_unchanged(found: FoundFile, known: IndexedStat | None) -> bool:
    return (
        known is not None
        and known.state in (FileState.PRESENT, FileState.NIGHT_UNKNOWN)
        and (found.size, found.mtime_ns) == (known.size, known.mtime_ns)
    )


@dataclass
class _Arrivals:
    """The files of a scan that are new or changed: opened, and written to the index in portions."""

    workspace: Workspace
    archive: Archive
    settle_time: float
    n_changed: int = 0
    n_writing: int = 0
    entries: list[ArchiveFile] = field(default_factory=list)
    spectra: list[SpectrumRecord] = field(default_factory=list)
    suspects: list[tuple[FoundFile, str | None]] = field(default_factory=list)
    """Files that may still be growing, with the content that they had last."""

    def open(self, found: FoundFile, known: IndexedStat | None) -> None:
        """Take a file into the index, unless it may still be growing: that is looked at again, after the others."""
        last = known.digest if known else None
        # A file that was changed just now is looked at twice though it is whole: it may end where a unit of it does.
        if self._is_young(found) and (_age(found) < JUST_NOW or not is_whole(found.path)):
            self.suspects.append((found, last))
        else:
            self._take(found, last)

    def look_again(self) -> None:
        """Decide about the files that may be growing, after one pause for them all, and write the rest of the index."""
        if self.suspects:
            time.sleep(GROWTH_SECONDS)
        for found, last in self.suspects:
            if _has_changed(found):
                self._leave(found, last)
            else:
                self._take(found, last)
        self._flush()

    def _take(self, found: FoundFile, last: str | None) -> None:
        read = read_arrival(self.workspace, found.path, found.is_file, FileStat(found.size, found.mtime_ns))
        if read is None:
            return
        if found.is_file and _has_changed(found):
            self._leave(found, last)
            return
        self.n_changed += 1
        entry, spectrum = read
        if spectrum:
            self.spectra.append(spectrum)
        self._add(entry)

    def _leave(self, found: FoundFile, last: str | None) -> None:
        """Know a file as one that is still being written; its star keeps the content that it had last."""
        log.info("%s is still being written: it is left for a later look", found.path)
        self.n_writing += 1
        keys, stat = self.archive.keys(found.path), FileStat(found.size, found.mtime_ns)
        self._add(entry_of(found.path, keys.telescope, keys.obj, stat, last, FileState.WRITING))

    def _add(self, entry: ArchiveFile) -> None:
        self.entries.append(entry)
        if len(self.entries) >= FLUSH_EVERY:  # a scan that is broken off has not read in vain
            self._flush()

    def _flush(self) -> None:
        self.workspace.catalog.archive.record_arrivals(self.spectra, self.entries)
        self.entries.clear()
        self.spectra.clear()

    def _is_young(self, found: FoundFile) -> bool:
        return found.is_file and _age(found) < self.settle_time


def _age(found: FoundFile) -> float:
    """Seconds since a file was changed, or until a clock that is ahead says that it will be."""
    return abs(time.time() - found.mtime_ns / 1e9)


def _has_changed(found: FoundFile) -> bool:
    return file_stat(found.path) != (found.size, found.mtime_ns)


def _progress(telescope: str) -> Callable[[int, int], None]:
    """Return a reporter that says at most every ten seconds how far the scan is."""
    last = time.monotonic()

    def report(n_seen: int, n_changed: int) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_EVERY:
            last = time.monotonic()
            log.info("%s: %d files seen, %d of them new or changed", telescope, n_seen, n_changed)

    return report
