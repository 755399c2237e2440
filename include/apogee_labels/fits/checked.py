"""Reading of FITS files that carry the sums of their content: whole, or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.thread_warnings import raised_in_this_thread
from apogee_labels.fits.checksum import COMPLETE, ones_sum

if TYPE_CHECKING:
    from astropy.io import fits

T = TypeVar("T")
BLOCK = 2880
_END = re.compile(rb"(?:(?!END {77}).{80})*+END {77}", re.DOTALL)

FAULTS = (Warning, OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What astropy warns of or raises on damaged bytes, besides its own VerifyError."""


def read_checked(
    path: str | Path, parse: Callable[[fits.HDUList], T], refused: Callable[[Reason, str], BadInputError]
) -> T:
    """Read a file, hold it against its sums, and give what `parse` makes of it.

    Parameters
    ----------
    path
        The file.
    parse
        Takes what it needs out of the HDUs; what it raises on a file without that becomes a BadInputError.
    refused
        Makes the error, from UNREADABLE or WRONG_LAYOUT (a part is missing) and what was found.

    Raises
    ------
    BadInputError
        What `refused` makes: the file is no FITS, damaged, cut short, or without what `parse` looks for.
    OSError
        The file is not there or cannot be read.
    """
    from astropy.io import fits
    from astropy.io.fits.verify import VerifyError

    content = Path(path).read_bytes()
    try:
        with raised_in_this_thread(), fits.HDUList.fromstring(content) as hdus:
            if not _sums_agree(content, hdus):
                raise refused(Reason.UNREADABLE, "sums that do not agree with its content")
            return parse(hdus)
    except BadInputError:
        raise
    except (LookupError, AttributeError) as fault:
        raise refused(Reason.WRONG_LAYOUT, f"that parts are missing: {_one_line(fault)}") from fault
    except (VerifyError, *FAULTS) as fault:
        raise refused(Reason.UNREADABLE, f"something unreadable: {_one_line(fault)}") from fault


def _sums_agree(content: bytes, hdus: fits.HDUList) -> bool:
    """Whether each unit has both sums, and they are those of its bytes; asking astropy costs ten times as much."""
    place = 0
    for hdu in hdus:
        end_of_cards = _END.match(content, place)
        if end_of_cards is None or "CHECKSUM" not in hdu.header:
            return False
        data = place + _padded(end_of_cards.end() - place)
        end = data + _padded(hdu.size)
        if ones_sum(content[place:end]) != COMPLETE or hdu.header.get("DATASUM") != str(ones_sum(content[data:end])):
            return False
        place = end
    return place > 0


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _one_line(fault: BaseException) -> str:
    return " ".join(f"{type(fault).__name__}: {fault}".split())
