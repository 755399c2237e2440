"""Which stars were observed in a night, from a summary of all visits.

SDSS publishes one as ``allVisit-*.fits``: a row a visit, 2.7 million of them in DR17, gigabytes with all their columns.
Only the columns that are needed are looked at, in the file as it lies on disk, and all but one of them only in the rows
of the night.  A CSV file with the same columns does as well.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from apogee_labels.fits.checked import FAULTS

if TYPE_CHECKING:
    from astropy.io import fits

STAR_COLUMNS = ("APOGEE_ID", "OBJ", "OBJID", "SDSS4_APOGEE_ID", "SDSS_ID")
"""Names under which the star's may be; the first that is there counts."""

_FITS_MAGIC = (b"SIMPLE", b"\x1f\x8b")


class VisitSummaryError(ValueError):
    """The summary does not have what it is asked for; the message says which column, and what to do."""


class VisitedStar(NamedTuple):
    """A star that was observed in a night, and what its file is filed under: the field, or the HEALPix number."""

    obj: str
    field: str | None
    healpix: int | None


def stars_of_night(path: str | Path, telescope: str, mjd: int, *, by_healpix: bool) -> list[VisitedStar]:
    """Return the stars with a visit on an SDSS MJD at a telescope, each once, by name.

    Parameters
    ----------
    path
        FITS or CSV, with the columns MJD, TELESCOPE, one of :data:`STAR_COLUMNS`, and FIELD or HEALPIX; capital and small
        letters are the same.  Of a FITS file every table that has them is read.
    telescope, mjd
        The night.
    by_healpix
        Whether HEALPIX is needed (DR19 and later), and not FIELD.

    Raises
    ------
    VisitSummaryError
        A column is missing, or holds what it cannot.
    OSError
        The file is not there, or cannot be read: it may be that it is being written.
    """
    place = "HEALPIX" if by_healpix else "FIELD"
    with Path(path).open("rb") as stream:
        is_fits = stream.read(6).startswith(_FITS_MAGIC)
    rows = (_fits_rows if is_fits else _csv_rows)(Path(path), telescope, mjd, place)
    return sorted({_star(path, obj, where, place) for obj, where in rows if obj})


def _star(path: str | Path, obj: str, where: str, place: str) -> VisitedStar:
    if place == "FIELD":
        return VisitedStar(obj, where, None)
    try:
        return VisitedStar(obj, None, int(where))
    except ValueError:
        raise VisitSummaryError(f"{path}, column HEALPIX: {where!r} of {obj} is not a whole number.") from None


def _columns(path: Path, names: Iterable[str], place: str) -> list[str]:
    """Return the file's names for MJD, telescope, star and place."""
    there = {name.strip().upper(): name for name in names}
    star = next((name for name in STAR_COLUMNS if name in there), " or ".join(STAR_COLUMNS))
    wanted = ["MJD", "TELESCOPE", star, place]
    if missing := [name for name in wanted if name not in there]:
        raise VisitSummaryError(
            f"{path} has no column {' and no column '.join(missing)}: a visit summary of this release needs MJD, TELESCOPE, "
            f"APOGEE_ID (or {', '.join(STAR_COLUMNS[1:])}) and {place}; it has {_some(there.values())}."
        )
    return [there[name] for name in wanted]


def _some(names: Iterable[str]) -> str:
    names = [*names]
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "") if names else "none"


# -- FITS --------------------------------------------------------------------------------------------------------------


def _fits_rows(path: Path, telescope: str, mjd: int, place: str) -> Iterator[tuple[str, str]]:
    """Give star and place of each visit, from every table of a FITS file that has the columns."""
    from astropy.io import fits

    try:
        with fits.HDUList.fromfile(str(path), memmap=True, character_as_bytes=True) as hdus:
            tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
            for table, columns in _with_columns(path, tables, place):
                yield from _rows_of_table(table, columns, telescope, mjd)
    except VisitSummaryError:
        raise
    except FAULTS as fault:
        raise OSError(f"{path} cannot be read as a FITS table ({fault}): is it being written?") from fault


def _with_columns(
    path: Path, tables: Sequence[fits.BinTableHDU], place: str
) -> Iterator[tuple[fits.BinTableHDU, list[str]]]:
    """Give the tables that have the columns; an error when none has."""
    error = VisitSummaryError(f"{path} has no table.")
    n_found = 0
    for table in tables:
        try:
            columns = _columns(path, table.columns.names, place)
        except VisitSummaryError as fault:
            error = fault
            continue
        n_found += 1
        yield table, columns
    if n_found == 0:
        raise error


def _rows_of_table(table: fits.BinTableHDU, columns: Sequence[str], telescope: str, mjd: int) -> list[tuple[str, str]]:
    import numpy as np

    data = table.data
    night = np.flatnonzero(data.field(columns[0]) == mjd)
    telescopes, stars, places = ([_text(value) for value in data.field(name)[night]] for name in columns[1:])
    return [(star, place) for at, star, place in zip(telescopes, stars, places, strict=True) if at == telescope]


def _text(value: Any) -> str:
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)).strip()


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _csv_rows(path: Path, telescope: str, mjd: int, place: str) -> Iterator[tuple[str, str]]:
    """Give star and place of each visit, from a CSV file with a header; a visit is one line."""
    with path.open(encoding="utf-8-sig") as stream:
        try:
            header = _fields(stream.readline())
            columns = [header.index(name) for name in _columns(path, header, place)]
            for number, line in enumerate(stream, 2):
                # To parse every line would take ten times as long; the first is, so that a wrong column is told.
                if str(mjd) in line or number == 2:
                    when, where, star, filed = _cells(path, number, line, columns)
                    if when == mjd and where == telescope:
                        yield star, filed
        except (csv.Error, UnicodeDecodeError) as fault:
            raise VisitSummaryError(
                f"{path} is neither FITS nor CSV ({fault}): give SDSS's allVisit file, or a CSV of its columns."
            ) from fault


def _cells(path: Path, number: int, line: str, columns: Sequence[int]) -> tuple[float, str, str, str]:
    """Return MJD, telescope, star and place of a line."""
    fields = _fields(line)
    if len(fields) <= max(columns):
        raise VisitSummaryError(
            f"{path}, line {number}: expected at least {max(columns) + 1} columns, got {len(fields)}."
        )
    when, where, star, filed = (fields[column].strip() for column in columns)
    try:
        return float(when), where, star, filed
    except ValueError:
        raise VisitSummaryError(f"{path}, line {number}: column MJD has {when!r}, which is no number.") from None


def _fields(line: str) -> list[str]:
    return next(csv.reader([line]), [])
