"""One file on record: its path in the index of the archive, and what its header says.

Takes a file and what was read of it; done already for a content that is on record; makes an index row for the path, and a
spectrum row (star, visits) for each content that was never seen.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from apogee_labels.apogee.spectra.apstar import READER_VERSION, read_header
from apogee_labels.catalog.records import ArchiveFile, FileState, SpectrumRecord, VisitRecord
from apogee_labels.core.errors import BadInputError
from apogee_labels.core.identity import digest_file

if TYPE_CHECKING:
    from apogee_labels.apogee.spectra.apstar import ApStar, ApStarHeader
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
UNKNOWN = "unknown"
"""Telescope of a file that neither its path nor its header tells."""


class FileStat(NamedTuple):
    """Size in bytes and time stamp in nanoseconds of a file, as they were before its content was read."""

    size: int
    mtime_ns: int


def file_stat(path: str | Path) -> FileStat:
    """Take a file's size and time stamp; zeros where there is none."""
    try:
        stat = Path(path).stat()
    except FileNotFoundError:
        return FileStat(0, 0)
    return FileStat(stat.st_size, stat.st_mtime_ns)


def register_file(workspace: Workspace, path: str | Path, star: ApStar, stat: FileStat) -> None:
    """Put one file that was read in full on record, as a scan would."""
    entry, spectrum = records_of(workspace, path, star, stat)
    workspace.catalog.spectra.record(spectrum)
    workspace.catalog.archive.index([entry])


def records_of(
    workspace: Workspace, path: str | Path, star: ApStar, stat: FileStat
) -> tuple[ArchiveFile, SpectrumRecord]:
    """Make the rows of a file that was read in full: that of its path and that of its content."""
    spectrum = spectrum_record(star, str(path), star.digest, workspace)
    return entry_of(path, spectrum.telescope or UNKNOWN, star.obj, stat, star.digest), spectrum


def read_arrival(
    workspace: Workspace, path: str | Path, is_file: bool, stat: FileStat
) -> tuple[ArchiveFile, SpectrumRecord | None] | None:
    """Digest a new file and read its header alone; return its rows, or None when it is gone or may not be read.

    A header that cannot be read leaves the star's name to the path, and its nights unknown.
    """
    place = _place(workspace, path)
    telescope, obj, content, spectrum = place.telescope, place.obj, None, None
    try:
        content = digest_file(path) if is_file else None
        header = read_header(path)
        telescope, obj = telescope or header.telescope, header.obj
        spectrum = spectrum_record(header, str(path), content, workspace) if content else None
    except FileNotFoundError:
        return None  # gone between the listing of its folder and now
    except BadInputError as fault:
        log.warning("%s: its night cannot be read from its header: %s", path, fault.message)
    except PermissionError as fault:
        # Its night is not known and no run could reject it: it is left for the scan after its permissions were mended.
        log.warning("%s: %s; let the worker's user read it", path, fault.strerror)
        return None
    state = FileState.PRESENT if spectrum else FileState.NIGHT_UNKNOWN
    return entry_of(path, telescope or UNKNOWN, obj, stat, content, state), spectrum


def register_arrivals(workspace: Workspace, paths: Iterable[str | Path]) -> None:
    """Put files that have just come on record by their headers, all in one transaction."""
    read = [rows for path in paths if (rows := read_arrival(workspace, path, True, file_stat(path)))]
    workspace.catalog.archive.record_arrivals(
        [spectrum for _, spectrum in read if spectrum], [entry for entry, _ in read]
    )


def register_unreadable(workspace: Workspace, path: str | Path, content: str) -> None:
    """Index a path whose content (its digest) cannot be read as a spectrum; one that is gone is known as gone."""
    stat = file_stat(path)
    if not Path(path).exists():
        workspace.catalog.archive.mark_gone([str(path)])
    elif Path(path).is_file():
        place = _place(workspace, path)
        # A scan may have read the header: then its nights are known, and the rest is what is bad.
        state = FileState.PRESENT if workspace.catalog.spectra.get(content) else FileState.NIGHT_UNKNOWN
        telescope = place.telescope or UNKNOWN
        workspace.catalog.archive.index([entry_of(path, telescope, place.obj, stat, content, state)])


def entry_of(
    path: str | Path,
    telescope: str,
    obj: str,
    stat: FileStat,
    content: str | None,
    state: FileState = FileState.PRESENT,
) -> ArchiveFile:
    """Make the index row of a path."""
    return ArchiveFile(
        path=str(path),
        telescope=telescope,
        obj=obj,
        size=stat.size,
        mtime_ns=stat.mtime_ns,
        digest=content,
        state=state,
    )


def spectrum_record(star: ApStar | ApStarHeader, path: str, content: str, workspace: Workspace) -> SpectrumRecord:
    """Make the row of a content: the star, and the visits that its header describes."""
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
