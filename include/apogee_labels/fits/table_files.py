"""Tables as FITS files that say what they hold, and are left alone when that has not changed.

The header has the digest of the content (``CONTENT``), the time of making (``CREATED``, ISO-8601 in UTC), CHECKSUM and
DATASUM.  The content is the header that the table makes, without the time of making, and the bytes of the rows: two
tables with the same columns, units, descriptions, ``meta`` and values have the same digest.
"""

from __future__ import annotations

import hashlib
import io
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from astropy.io import fits
from astropy.io.fits.header import Header
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from apogee_labels.core.files import atomic_write
from apogee_labels.fits.checksum import COMPLETE, checksum_text, ones_sum, sum_of_stream
from apogee_labels.fits.tables import DIGEST_WIDTH, iso_utc

BLOCK = 2880
"""FITS files are made of blocks of so many bytes."""
CONTENT_KEYWORD = "CONTENT"
CREATED_KEYWORD = "CREATED"

Value: TypeAlias = str | int | float | bool
Cards: TypeAlias = Mapping[str, Value | tuple[Value, str]]
"""Values of keywords, or values with their comments."""


class _UnchangedError(Exception):
    """The file that is there has the same content: the new one is not wanted."""


def write_table(table: Table, path: str | Path, *, header: Cards) -> bool:
    """Write `table` as FITS, unless the file there holds the same content and is whole: whether it was written.

    The file appears complete or not at all.

    Parameters
    ----------
    header
        What else the header says about this writing (the run, versions); it does not count as content.
    """
    return write_parts([table], path, header=lambda: header)


def write_parts(parts: Iterable[Table], path: str | Path, *, header: Callable[[], Cards]) -> bool:
    """Write tables below one another, as :func:`write_table` writes one, with only one of them in memory.

    Parameters
    ----------
    parts
        One or more, with the same columns, widths of text and ``meta`` (but for its CREATED).
    header
        Gives what else the header says: asked before the first part for the keywords, and after the last for the values.

    Raises
    ------
    ValueError
        There is no part, or one differs from the first in more than its values.
    """
    path = Path(path)
    try:
        with atomic_write(path) as temporary:
            content = _write(parts, temporary, header)
            if _holds(path, content):
                raise _UnchangedError
    except _UnchangedError:
        return False
    return True


def content_digest(table: Table) -> str:
    """SHA-256 of what a table holds, whatever the time it was made at."""
    hdu = _hdu(table)
    return hashlib.sha256(_description(hdu) + _rows(hdu)).hexdigest()


def kept_header(path: Path) -> Header | None:
    """Return the header of the table that is at `path`; None when there is none that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)
            header: Header = fits.getheader(path, 1)
            return header
    except (OSError, IndexError, TypeError):
        return None


def _write(parts: Iterable[Table], path: Path, cards: Callable[[], Cards]) -> str:
    """Write all parts to a new file; returns the digest of their content."""
    content, description, n_rows = hashlib.sha256(), b"", 0
    with path.open("w+b") as stream:
        for part in parts:
            hdu = _hdu(part)
            if not description:
                description = _description(hdu)
                content.update(description)
                header, room = _begin(stream, _hdu(part[:0]), cards())
            elif _description(hdu) != description:
                raise ValueError(f"{path.name}: expected parts with the same columns, widths and meta, got others.")
            rows = _rows(hdu)
            content.update(rows)
            stream.write(rows)
            n_rows += len(part)
        if not description:
            raise ValueError(f"{path.name}: expected one part or more, got none.")
        stream.write(bytes(-stream.tell() % BLOCK))
        header.update(cards())
        header["NAXIS2"], header[CONTENT_KEYWORD] = n_rows, content.hexdigest()
        _finish(stream, header, room)
    return content.hexdigest()


def _finish(stream: io.BufferedRandom, header: Header, room: range) -> None:
    """Write the final header in the place that was kept for it, with the sums of what is written now."""
    stream.seek(room.stop)
    data = sum_of_stream(stream, sys.maxsize)
    header["DATASUM"], header["CHECKSUM"] = str(data), "0" * 16
    header["CHECKSUM"] = checksum_text(ones_sum(header.tostring().encode("ascii"), data)).decode("ascii")
    if len(header.tostring()) != len(room):
        raise ValueError("expected values after the last part that take no more cards than those before the first.")
    stream.seek(room.start)
    stream.write(header.tostring().encode("ascii"))


def _hdu(table: Table) -> fits.BinTableHDU:
    hdu: fits.BinTableHDU = fits.table_to_hdu(table)
    for place, name in enumerate(table.colnames, start=1):
        if table[name].description:
            hdu.header[f"TCOMM{place}"] = table[name].description
    return hdu


def _begin(stream: io.BufferedRandom, empty: fits.BinTableHDU, cards: Cards) -> tuple[Header, range]:
    """Write all that comes before the rows, with room for what is known after them; returns the header and its place."""
    empty.header["LONGSTRN"] = ("OGIP 1.0", "text may go on in CONTINUE cards")
    empty.header.update(cards)
    empty.header[CONTENT_KEYWORD] = "0" * DIGEST_WIDTH
    empty.header.setdefault(CREATED_KEYWORD, iso_utc(datetime.now(UTC)))
    file = fits.HDUList([fits.PrimaryHDU(), empty])
    file.update_extend()  # writeto() would add EXTEND after the sum of the header was taken
    for hdu in file:
        hdu.add_datasum(when="sum of the data")
        hdu.add_checksum(when="sum of the HDU", override_datasum=True)
    file.writeto(stream)
    return empty.header, range(stream.tell() - len(empty.header.tostring()), stream.tell())


def _description(hdu: fits.BinTableHDU) -> bytes:
    """Return the header that a table makes, without the number of its rows and the time of making."""
    header = hdu.header.copy()
    header.remove(CREATED_KEYWORD, ignore_missing=True)
    header["NAXIS2"] = 0
    return bytes(header.tostring().encode("ascii"))


def _rows(hdu: fits.BinTableHDU) -> bytes:
    """Return the rows of a table as FITS has them."""
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(stream)
    size = hdu.header["NAXIS1"] * hdu.header["NAXIS2"]
    start = len(stream.getvalue()) - size - -size % BLOCK
    return stream.getvalue()[start : start + size]


def _holds(path: Path, content: str) -> bool:
    """Whether a whole file with that content is at `path`: neither cut short nor damaged, by its sums."""
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)  # what is odd about it, its sums show
            primary, table = Header.fromfile(stream), Header.fromfile(stream)
            if table.get(CONTENT_KEYWORD) != content:
                return False
            sizes = [len(primary.tostring()), len(table.tostring()) + table["NAXIS1"] * table["NAXIS2"]]
            sizes[1] += -sizes[1] % BLOCK
            stream.seek(0)
            sums = [sum_of_stream(stream, size) for size in sizes]
            return sums == [COMPLETE] * 2 and stream.tell() == sum(sizes) == path.stat().st_size
    except (OSError, EOFError, LookupError, TypeError, ValueError):
        return False
