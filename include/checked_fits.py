"""Reading of FITS files that carry the sums of their content: whole, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from include.errors import BadInputError, Reason
from include.thread_warnings import raised_in_this_thread

if TYPE_CHECKING:
    from astropy.io import fits

T = TypeVar("T")

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
            if not all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus):
                raise refused(Reason.UNREADABLE, "sums that do not agree with its content")
            return parse(hdus)
    except BadInputError:
        raise
    except (LookupError, AttributeError) as fault:
        raise refused(Reason.WRONG_LAYOUT, f"that parts are missing: {_one_line(fault)}") from fault
    except (VerifyError, *FAULTS) as fault:
        raise refused(Reason.UNREADABLE, f"something unreadable: {_one_line(fault)}") from fault


def _one_line(fault: BaseException) -> str:
    return " ".join(f"{type(fault).__name__}: {fault}".split())
