"""Bring the catalogue's index of the archive up to date.

Takes the archive's tree; done already for every file whose size and time stamp are those on record; makes an index row a
path, and a spectrum row (star, visits) for each content that was never seen.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from include.apogee.apstar import READER_VERSION, read_header
from include.catalog.records import ArchiveFile, FileState, SpectrumRecord, VisitRecord
from include.errors import BadInputError
from include.identity import digest_file

if TYPE_CHECKING:
    from include.apogee.apstar import ApStar, ApStarHeader
    from include.apogee.archive import Archive, FoundFile
    from include.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
UNKNOWN = "unknown"
"""Telescope of a file that neither its path nor its header tells."""
FLUSH_EVERY = 500
"""New files after which a scan writes its index."""
REPORT_EVERY = 10.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Scan:
    """What a scan found: files seen, those new or changed since the last one, those gone; seconds; whether it was reused."""

    n_seen: int
    n_changed: int
    n_gone: int
    seconds: float
    reused: bool = False


def scan_archive(workspace: Workspace, telescope: str) -> Scan:
    """Index a telescope's files; one scan at a time, and a scan that began after this call serves it as well."""
    asked = time.time()
    with workspace.lock(f"scan-{telescope}") as note:
        began = float(note.read_text() or 0)
        if asked <= began <= time.time():  # a note of the future is a clock's that was ahead
            log.info("%s: a scan that began meanwhile is reused", telescope)
            return Scan(0, 0, 0, 0.0, reused=True)
        began = time.time()
        result = _scan(workspace, workspace.archive(), telescope)
        note.write_text(repr(began))
    log.info(
        "%s: %d files in the archive, %d new or changed, %d gone; scanned in %.1f s",
        telescope, result.n_seen, result.n_changed, result.n_gone, result.seconds,
    )  # fmt: skip
    return result


class Glance(NamedTuple):
    """Size in bytes and time stamp in nanoseconds of a file, as they were before its content was read."""

    size: int
    mtime_ns: int


def look_at(path: str | Path) -> Glance:
    """Take a file's size and time stamp; zeros where there is none."""
    try:
        stat = Path(path).stat()
    except FileNotFoundError:
        return Glance(0, 0)
    return Glance(stat.st_size, stat.st_mtime_ns)


def register_file(workspace: Workspace, path: str | Path, star: ApStar, glance: Glance) -> None:
    """Put one file that was read in full on record, as a scan would."""
    place = _place(workspace, path)
    workspace.catalog.record_spectrum(_spectrum_record(star, str(path), star.digest, workspace))
    telescope = place.telescope or star.telescope or UNKNOWN
    workspace.catalog.index_files([_entry(path, telescope, star.obj, glance, star.digest)])


def register_unreadable(workspace: Workspace, path: str | Path, content: str) -> None:
    """Index a path whose content (its digest) cannot be read as a spectrum; one that is gone is known as gone."""
    glance = look_at(path)
    if not Path(path).exists():
        workspace.catalog.mark_gone([str(path)])
    elif Path(path).is_file():
        place = _place(workspace, path)
        workspace.catalog.index_files([_entry(path, place.telescope or UNKNOWN, place.obj, glance, content)])


def _entry(path: str | Path, telescope: str, obj: str, glance: Glance, content: str | None) -> ArchiveFile:
    return ArchiveFile(
        path=str(path), telescope=telescope, obj=obj, size=glance.size, mtime_ns=glance.mtime_ns, digest=content
    )


def _scan(workspace: Workspace, archive: Archive, telescope: str) -> Scan:
    started = time.perf_counter()
    if not archive.root.is_dir():
        # Nothing is marked as gone: a disk that is not mounted has lost no file.
        log.warning("there is no archive at %s: mount it, or set SAS_BASE_DIR", archive.root)
        return Scan(0, 0, 0, time.perf_counter() - started)
    known = {path: entry for path, entry in workspace.catalog.indexed().items() if entry.telescope == telescope}
    seen: set[str] = set()
    changed: list[ArchiveFile] = []
    n_changed = 0
    progress = _progress(telescope)
    for found in archive.walk(telescope):
        seen.add(found.path)
        if _is_unchanged(found, known.get(found.path)):
            continue
        if entry := _open(workspace, archive, found):
            changed.append(entry)
            n_changed += 1
        if len(changed) >= FLUSH_EVERY:  # a scan that is broken off has not read in vain
            workspace.catalog.index_files(changed)
            changed.clear()
        progress(len(seen), n_changed)
    unseen = (path for path, entry in known.items() if path not in seen and entry.state is FileState.PRESENT)
    # Files of other releases are not walked, but they are there.
    gone = [path for path in unseen if not Path(path).exists()]
    workspace.catalog.index_files(changed)
    workspace.catalog.mark_gone(gone)
    return Scan(len(seen), n_changed, len(gone), time.perf_counter() - started)


def _is_unchanged(found: FoundFile, known: ArchiveFile | None) -> bool:
    return (
        known is not None
        and known.state is FileState.PRESENT
        and (found.size, found.mtime_ns) == (known.size, known.mtime_ns)
    )


def _open(workspace: Workspace, archive: Archive, found: FoundFile) -> ArchiveFile | None:
    """Read a new file's header and digest its content; a header that cannot be read leaves its night unknown."""
    keys = archive.keys(found.path)
    obj, content = keys.obj, None
    try:
        content = digest_file(found.path) if found.is_file else None
        header = read_header(found.path)
        obj = header.obj
        if content:
            workspace.catalog.record_spectrum(_spectrum_record(header, found.path, content, workspace))
    except FileNotFoundError:
        return None  # gone between the listing of its folder and now
    except BadInputError as fault:
        log.warning("%s: its night cannot be read from its header: %s", found.path, fault.message)
    except PermissionError as fault:
        # Its night is not known and no run could reject it: it is left for the scan after its permissions were mended.
        log.warning("%s: %s; let the worker's user read it", found.path, fault.strerror)
        return None
    return _entry(found.path, keys.telescope, obj, Glance(found.size, found.mtime_ns), content)


def _spectrum_record(star: ApStar | ApStarHeader, path: str, content: str, workspace: Workspace) -> SpectrumRecord:
    place = _place(workspace, path)
    return SpectrumRecord(
        digest=content,
        path=path,
        obj=star.obj,
        telescope=place.telescope or star.telescope,
        field=place.field or star.field,
        healpix=star.healpix or place.healpix,
        release=place.release,
        apred=star.apred or place.apred,
        snr=star.snr,
        n_visits=len(star.visits),
        starflag=int(star.starflag),
        reader_version=READER_VERSION,
        visits=tuple(
            VisitRecord(
                number=visit.number,
                mjd=visit.mjd,
                fiber=visit.fiber,
                snr=math.nan if visit.snr is None else visit.snr,
                starflag=int(visit.starflag),
                file=visit.file,
            )
            for visit in star.visits
        ),
    )


class _Place(NamedTuple):
    """What a path tells of a file.  It comes before the header, which names the telescope in other words or not at all."""

    release: str
    apred: str
    telescope: str | None
    obj: str
    field: str | None = None
    healpix: int | None = None


def _place(workspace: Workspace, path: str | Path) -> _Place:
    """Read a path of any release; one that is outside the archive tells nothing but its name."""
    settings = workspace.settings
    try:
        keys = workspace.archive().keys(path)
    except ValueError:
        return _Place(settings.release, settings.apred, None, Path(path).stem)
    return _Place(keys.release, keys.apred, keys.telescope, keys.obj, keys.field, keys.healpix)


def _progress(telescope: str) -> Callable[[int, int], None]:
    """Return a reporter that says at most every ten seconds how far the scan is."""
    last = time.monotonic()

    def report(n_seen: int, n_changed: int) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_EVERY:
            last = time.monotonic()
            log.info("%s: %d files seen, %d of them new or changed", telescope, n_seen, n_changed)

    return report
