"""The sums that FITS files carry, DATASUM and CHECKSUM, of files that are larger than what one wants in memory.

Source: FITS standard 4.0, section 4.4.2.7 and appendix J.  Astropy sums a table that is in memory, or maps the whole file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

ALL_ONES = 0xFFFFFFFF
"""The sum of an HDU whose CHECKSUM is right."""
CHUNK = 1 << 22
_NO_PUNCTUATION = frozenset(range(0x3A, 0x41)) | frozenset(range(0x5B, 0x61))


def ones_complement_sum(pieces: Iterable[bytes], total: int = 0) -> int:
    """Add up big-endian words of 32 bits, what is carried over at the top being added at the bottom.

    Raises
    ------
    ValueError
        A piece is no whole number of words.
    """
    for piece in pieces:
        total += int(np.frombuffer(piece, dtype=">u4").sum(dtype="u8"))
        while total > ALL_ONES:
            total = (total & ALL_ONES) + (total >> 32)
    return total


def chunks_of(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Read `size` bytes, some at a time; fewer where the file ends before."""
    while size > 0 and (piece := stream.read(min(size, CHUNK))):
        size -= len(piece)
        yield piece


def encoded(total: int) -> str:
    """Return the CHECKSUM of an HDU whose sum, with 16 zeros in its place, is `total`."""
    value = ALL_ONES - total
    characters = [""] * 16
    for place, shift in enumerate((24, 16, 8, 0)):
        quotient, remainder = divmod((value >> shift) & 0xFF, 4)
        letters = [quotient + remainder + 48, quotient + 48, quotient + 48, quotient + 48]
        while _NO_PUNCTUATION.intersection(letters):
            for left in (0, 2):
                if _NO_PUNCTUATION.intersection(letters[left : left + 2]):
                    letters[left] += 1
                    letters[left + 1] -= 1
        characters[place::4] = [chr(letter) for letter in letters]
    return characters[-1] + "".join(characters[:-1])
