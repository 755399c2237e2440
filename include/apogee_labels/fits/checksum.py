"""DATASUM and CHECKSUM of FITS units (FITS standard 4.0, section 4.4.2.7 and appendix J)."""

from __future__ import annotations

from functools import cache
from typing import BinaryIO

import numpy as np

COMPLETE = 0xFFFFFFFF
"""Sum of a whole unit whose CHECKSUM is right: minus zero, in ones' complement."""

_CHUNK = 1 << 22
_FORBIDDEN = frozenset(b":;<=>?@[\\]^_`")


def ones_sum(content: bytes, total: int = 0) -> int:
    """Add big-endian 32-bit words to `total` in ones' complement arithmetic; `content` is a multiple of four bytes."""
    total += int(np.frombuffer(content, dtype=">u4").sum(dtype=np.uint64))
    while total > COMPLETE:
        total = (total & COMPLETE) + (total >> 32)
    return total


def sum_of_stream(stream: BinaryIO, size: int) -> int:
    """Sum of the next `size` bytes, or of those up to the end; some at a time, for astropy maps the whole file."""
    total = 0
    while size > 0 and (piece := stream.read(min(size, _CHUNK))):
        total = ones_sum(piece, total)
        size -= len(piece)
    return total


def checksum_text(total: int) -> bytes:
    """Write the complement of a sum as CHECKSUM's 16 characters: with them in its place, the unit's sum is COMPLETE.

    Parameters
    ----------
    total
        Sum of the unit with sixteen zeros, the characters, in that place.
    """
    complement = COMPLETE - total
    bytes_of_four = [_four(complement >> shift & 0xFF) for shift in (24, 16, 8, 0)]
    # The words hold a character of each byte; the card's value begins at a byte that is one before a word's.
    text = bytes(four[place] for place in range(4) for four in bytes_of_four)
    return text[-1:] + text[:-1]


@cache
def _four(byte: int) -> bytes:
    """Four alphanumeric characters whose sum, less four zeros, is `byte`."""
    quotient, remainder = divmod(byte, 4)
    four = [ord("0") + quotient + remainder, *[ord("0") + quotient] * 3]
    while _FORBIDDEN & set(four):
        for first in (0, 2):
            if _FORBIDDEN & set(four[first : first + 2]):
                four[first] += 1
                four[first + 1] -= 1
    return bytes(four)
