"""Headers and images out of the bytes of a FITS file, by astropy, with damage as one kind of error.

astropy mends what it can of a damaged file, warns, and raises a dozen kinds of exception for the rest.  A nightly run
must neither take a star from a file that was mended, nor stop at one.  So what astropy warns of is an error here, save
the style of a card, and a unit must be as long as astropy computes from its header.  The units are opened one by one:
``fits.open`` goes through as many axes as a damaged NAXIS says (10**7 take half a minute), and ends its list early where
it cannot read on.  Headers in the plain form of the standard are read without astropy, to the same end
(:mod:`apogee_labels.fits.header`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.thread_warnings import raised_in_this_thread
from apogee_labels.fits.checked import FAULTS
from apogee_labels.fits.header import UNCLEAR, PlainHeader, find_plain
from apogee_labels.fits.input_file import read_content

if TYPE_CHECKING:
    from astropy.io.fits.header import Header

_PRINTABLE = bytes(byte if 32 <= byte < 127 else ord("?") for byte in range(256))
_LARGEST_INTEGER = (1 << 63) - 1
_LARGEST_AXIS = 1 << 40
_TYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
"""Types of numpy by BITPIX."""


class CutShortError(BadInputError):
    """The bytes end within a header: more of them may complete it."""


class Cards:
    """The keywords of one header, each value as the type that is asked for; of a repeated keyword the first counts.

    Parameters
    ----------
    source
        The header as astropy read it, or a plain one, which astropy reads only where it is asked for more.
    """

    def __init__(self, source: Header | PlainHeader) -> None:
        self._source = source

    @cached_property
    def header(self) -> Header:
        """The header as astropy reads it."""
        from astropy.io.fits.header import Header

        return Header.fromstring(self._source.content) if isinstance(self._source, PlainHeader) else self._source

    @property
    def plain_data_size(self) -> int | None:
        """Bytes of the data with their padding, as astropy computes them; None where it must."""
        return self._source.data_size if isinstance(self._source, PlainHeader) else None

    def __contains__(self, keyword: str) -> bool:
        if isinstance(self._source, PlainHeader):
            return self._source.value(keyword) is not None
        return keyword in self.header

    def text(self, keyword: str) -> str | None:
        """Value of a keyword as text without its padding; None when it is absent, blank or no FITS value."""
        value = self._value(keyword)
        if isinstance(value, bool):
            return "T" if value else "F"
        return str(value) or None if isinstance(value, str | int | float) else None

    def integer(self, keyword: str) -> int | None:
        """Value of a keyword as an integer of 64 bits, or None when it is not one."""
        value = self._value(keyword)
        if isinstance(value, int) and not isinstance(value, bool):
            return value if abs(value) <= _LARGEST_INTEGER else None
        number = self.number(keyword)
        return int(number) if number is not None and number.is_integer() and abs(number) < _LARGEST_AXIS else None

    def number(self, keyword: str) -> float | None:
        """Value of a keyword as a finite number, or None; NaN, whether bare or as a string, is none."""
        try:
            number = float((self.text(keyword) or "").upper().replace("D", "E"))
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def _value(self, keyword: str) -> object:
        """Value as astropy understands it; None when it is absent or cannot be understood."""
        from astropy.io.fits.verify import VerifyError

        if isinstance(self._source, PlainHeader) and (value := self._source.value(keyword)) is not UNCLEAR:
            return value
        try:
            return self.header.get(keyword)
        except (VerifyError, ValueError):
            return None


@dataclass(frozen=True)
class Hdu:
    """One header-data unit, and where its header, its data and what follows them begin in the file."""

    number: int
    cards: Cards
    shape: tuple[int, ...]
    """Lengths of the axes in numpy's order, the last varying fastest."""
    start: int
    data_start: int
    end: int


class _Blocks(io.BytesIO):
    """Whole blocks of printable text, which is all that a header may have; the rest of the last block is no header."""

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        return block.translate(_PRINTABLE) if len(block) == size else b""


def read_cards(content: bytes, start: int = 0) -> tuple[Cards, int]:
    """Read the header that begins at `start`; return it and where its data begin.

    What is not printable becomes a question mark.

    Raises
    ------
    CutShortError
        UNREADABLE: the bytes end before the header does.
    BadInputError
        UNREADABLE: no header begins there, or astropy finds fault with it.
    """
    from astropy.io.fits.header import Header

    expected = b"SIMPLE  =" if start == 0 else b"XTENSION="
    if content[start : start + 9] != expected:
        raise _unreadable(f"expected a FITS header ({expected.decode()}) at byte {start}; this is no FITS file")
    if plain := find_plain(content, start):
        return Cards(plain), start + len(plain.content)
    stream = _Blocks(content)
    stream.seek(start)
    with _damage_is_bad_input(f"the header at byte {start}"):
        try:
            return Cards(Header.fromfile(stream)), stream.tell()
        except (OSError, EOFError) as fault:
            what = f"the file ends at byte {len(content)}, within the header that begins at byte {start}"
            raise _unreadable(what, CutShortError) from fault


def read_hdus(content: bytes) -> list[Hdu]:
    """Find every header-data unit of a file, and see that each is complete; the data are not read.

    Raises
    ------
    BadInputError
        UNREADABLE: not FITS, or the bytes end within a header or its data.
    """
    hdus: list[Hdu] = []
    start = 0
    # After the last unit the standard allows records of another kind.
    while not hdus or content[start : start + 9] == b"XTENSION=":
        cards, data_start = read_cards(content, start)
        axes = _axes(cards)
        end = data_start + _data_size(cards, number=len(hdus))
        if end > len(content):
            raise _unreadable(f"HDU {len(hdus)} ends at byte {end}, the file at {len(content)}")
        hdus.append(Hdu(len(hdus), cards, axes[::-1], start, data_start, end))
        start = end
    if 0 < len(content) - start < len(b"XTENSION="):
        raise _unreadable(f"the file ends at byte {len(content)}, within the first card of HDU {len(hdus)}")
    return hdus


def is_whole(path: str | Path) -> bool:
    """Whether a file is FITS to its last unit, so that its writer has ended; False for one that is gone or no file."""
    try:
        return bool(read_hdus(read_content(path)))
    except BadInputError:
        return False


def read_image(content: bytes, hdu: Hdu) -> np.ndarray[Any, np.dtype[Any]]:
    """Give the data of an image, in the file's own type and byte order.

    Raises
    ------
    BadInputError
        WRONG_LAYOUT: the unit is not an image of numbers that stand for themselves; UNREADABLE: it is damaged.
    """
    cards, shape = hdu.cards, hdu.shape
    kind = cards.text("XTENSION")
    scaled = cards.number("BSCALE") not in (None, 1.0) or cards.number("BZERO") not in (None, 0.0)
    grouped = cards.integer("PCOUNT") not in (None, 0) or cards.integer("GCOUNT") not in (None, 1)
    if kind != "IMAGE" or scaled or grouped or not math.prod(shape) or not shape:
        raise BadInputError(
            Reason.WRONG_LAYOUT, f"expected HDU {hdu.number} to be a plain image, got {kind} of shape {shape}."
        )
    if (bits := cards.integer("BITPIX")) not in _TYPES:
        raise _unreadable(f"BITPIX of HDU {hdu.number} is {bits}, which FITS does not allow")
    array = np.frombuffer(content, dtype=_TYPES[bits], count=math.prod(shape), offset=hdu.data_start)
    return array.reshape(shape)


def _data_size(cards: Cards, *, number: int) -> int:
    """Bytes of data after a header with their padding, as astropy computes them from sizes that FITS allows."""
    bits, extra, groups = (cards.integer(keyword) for keyword in ("BITPIX", "PCOUNT", "GCOUNT"))
    if bits not in _TYPES or (extra or 0) < 0 or (groups or 0) < 0:
        raise _unreadable(f"BITPIX {bits}, PCOUNT {extra}, GCOUNT {groups} are not what FITS allows")
    if (plain := cards.plain_data_size) is not None:
        return plain
    with _damage_is_bad_input(f"the header of HDU {number}"):
        size = cards.header.data_size_padded
    if not isinstance(size, int):
        raise _unreadable(f"the data have {size} bytes, for the lengths of the axes are not all integers")
    return size


def _axes(cards: Cards) -> tuple[int, ...]:
    """Values of NAXIS1, NAXIS2, ...; checked."""
    n_axes = cards.integer("NAXIS")
    if n_axes is None or not 0 <= n_axes <= 999:
        raise _unreadable(f"NAXIS is {n_axes}, which FITS does not allow")
    axes: list[int] = []
    for k in range(1, n_axes + 1):
        axis = cards.integer(f"NAXIS{k}")
        if axis is None or not 0 <= axis < _LARGEST_AXIS:
            raise _unreadable(f"NAXIS{k} of {n_axes} is {axis}, which FITS does not allow")
        axes.append(axis)
    return tuple(axes)


@contextmanager
def _damage_is_bad_input(where: str) -> Iterator[None]:
    """Turn what astropy warns of or raises into one error; only bytes in memory are read, so that none may pass."""
    from astropy.io.fits.verify import VerifyError, VerifyWarning

    try:
        # A card that the standard would write otherwise is how some writers are, not damage.
        with raised_in_this_thread(but=VerifyWarning):
            yield
    except BadInputError:
        raise
    except (VerifyError, *FAULTS) as fault:
        first_clause = " ".join(str(fault).split()).partition(";")[0].rstrip(".")
        raise _unreadable(f"astropy finds fault with {where}: {first_clause[:150]}") from fault


def _unreadable(what: str, kind: type[BadInputError] = BadInputError) -> BadInputError:
    return kind(Reason.UNREADABLE, f"{what}; the file is damaged or cut short: fetch it again.")
