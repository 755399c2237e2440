"""A strict reader of FITS headers and images from bytes (FITS standard 4.0, sections 3 to 5).

astropy mends what it can of a damaged file, warns, and raises a dozen kinds of exception for the rest, none of which a
nightly run may meet.  Here damage is one error, nothing is mended and nothing is global, so that threads may read at
the same time.  What it reads agrees with astropy to the bit (tests/include/apogee/test_fits_bytes.py).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from include.errors import BadInputError, Reason

BLOCK = 2880
CARD = 80
_TEXT = re.compile(r"\s*'((?:[^']|'')*)'")
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_LARGEST_INTEGER = (1 << 63) - 1
_LARGEST_AXIS = 1 << 40
_TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@dataclass(frozen=True)
class Cards:
    """The keywords of one header, their values read when they are asked for; of a repeated keyword the first counts."""

    raw: dict[str, str] = field(default_factory=dict)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.raw

    def text(self, keyword: str) -> str | None:
        """Value of a keyword as printable text without its padding, or None when it is absent or blank."""
        raw = self.raw.get(keyword, "")
        quoted = _TEXT.match(raw)
        value = quoted[1].replace("''", "'").rstrip() if quoted else raw.partition("/")[0].strip()
        return _NOT_PRINTABLE.sub("?", value) or None

    def integer(self, keyword: str) -> int | None:
        """Value of a keyword as an integer of 64 bits, or None when it is not one."""
        text = self.text(keyword) or ""
        if _INTEGER.fullmatch(text):
            return int(text) if abs(int(text)) <= _LARGEST_INTEGER else None
        number = self.number(keyword)
        return int(number) if number is not None and number.is_integer() and abs(number) < _LARGEST_AXIS else None

    def number(self, keyword: str) -> float | None:
        """Value of a keyword as a finite number, or None; NaN, whether bare or as a string, is none."""
        try:
            number = float((self.text(keyword) or "").upper().replace("D", "E"))
        except ValueError:
            return None
        return number if math.isfinite(number) else None


@dataclass(frozen=True)
class Hdu:
    """One header-data unit: its keywords, and where its data are in the file."""

    number: int
    cards: Cards
    data_start: int
    data_size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes in numpy's order, the last varying fastest."""
        return tuple(reversed(_axes(self.cards)))


def read_cards(content: bytes, start: int = 0) -> tuple[Cards, int]:
    """Read the header that begins at `start`; return it and where its data begin.

    Raises
    ------
    BadInputError
        UNREADABLE: no header begins there, or the bytes end before it does.
    """
    expected = b"SIMPLE  =" if start == 0 else b"XTENSION="
    if content[start : start + 9] != expected:
        raise _unreadable(f"expected a FITS header ({expected.decode()}) at byte {start}; this is no FITS file")
    raw: dict[str, str] = {}
    for block in range(start, len(content) - BLOCK + 1, BLOCK):
        text = content[block : block + BLOCK].decode("latin-1")
        for at in range(0, BLOCK, CARD):
            keyword = text[at : at + 8].rstrip()
            if keyword == "END":
                return Cards(raw), block + BLOCK
            if text[at + 8 : at + 10] == "= ":
                raw.setdefault(keyword, text[at + 10 : at + CARD])
    raise _unreadable(f"the file ends at byte {len(content)}, within the header that begins at byte {start}")


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
        size = _data_size(cards)
        start = data_start + -(-size // BLOCK) * BLOCK
        if start > len(content):
            raise _unreadable(f"HDU {len(hdus)} ends at byte {start}, the file at {len(content)}")
        hdus.append(Hdu(len(hdus), cards, data_start, size))
    if 0 < len(content) - start < len(b"XTENSION="):
        raise _unreadable(f"the file ends at byte {len(content)}, within the first card of HDU {len(hdus)}")
    return hdus


def read_image(content: bytes, hdu: Hdu) -> np.ndarray[Any, np.dtype[Any]]:
    """Give the data of an image, in the file's own type and byte order, without a copy.

    Raises
    ------
    BadInputError
        WRONG_LAYOUT: the unit is not an image of numbers that stand for themselves.
    """
    kind, bits = hdu.cards.text("XTENSION"), hdu.cards.integer("BITPIX")
    scaled = hdu.cards.number("BSCALE") not in (None, 1.0) or hdu.cards.number("BZERO") not in (None, 0.0)
    if kind != "IMAGE" or scaled or not hdu.shape or math.prod(hdu.shape) * abs(bits or 0) // 8 != hdu.data_size:
        raise BadInputError(
            Reason.WRONG_LAYOUT, f"expected HDU {hdu.number} to be a plain image, got {kind} of shape {hdu.shape}."
        )
    count = math.prod(hdu.shape)
    return np.frombuffer(content, _TYPES[bits or 8], count, hdu.data_start).reshape(hdu.shape)


def _data_size(cards: Cards) -> int:
    """Bytes of data after a header, without the padding (FITS standard, equation 2)."""
    bits, extra, groups = cards.integer("BITPIX"), cards.integer("PCOUNT") or 0, cards.integer("GCOUNT")
    groups = 1 if groups is None else groups
    if bits not in _TYPES or extra < 0 or groups < 0:
        raise _unreadable(f"BITPIX {bits}, PCOUNT {extra}, GCOUNT {groups} are not what FITS allows")
    axes = _axes(cards)
    return abs(bits) // 8 * groups * (extra + math.prod(axes)) if axes else 0


def _axes(cards: Cards) -> list[int]:
    """Values of NAXIS1, NAXIS2, ...; checked."""
    n_axes = cards.integer("NAXIS")
    if n_axes is None or not 0 <= n_axes <= 999:
        raise _unreadable(f"NAXIS is {n_axes}, which FITS does not allow")
    axes = [cards.integer(f"NAXIS{k}") for k in range(1, n_axes + 1)]
    valid = [axis for axis in axes if axis is not None and 0 <= axis < _LARGEST_AXIS]
    if len(valid) != n_axes:
        raise _unreadable(f"the lengths of the axes are {axes}, which FITS does not allow")
    return valid


def _unreadable(what: str) -> BadInputError:
    return BadInputError(Reason.UNREADABLE, f"{what}; the file is damaged or cut short: fetch it again.")
