"""Files that are bad in the ways in which real ones are, for showing what becomes of them."""

from __future__ import annotations

import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from apogee_labels.core.files import atomic_write

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.io.fits.header import Header


class Damage(StrEnum):
    """What is wrong with a file."""

    EMPTY = "empty"  # zero bytes
    TRUNCATED = "truncated"  # the headers of HDU 0 and 1 are whole, the data are cut short
    WRONG_HDUS = "wrong_hdus"  # FITS, with the flux alone
    WRONG_GRID = "wrong_grid"  # another wavelength grid
    ALL_MASKED = "all_masked"  # every pixel has a bad bit
    NO_VISITS = "no_visits"  # the header describes none
    NAN_EVERYWHERE = "nan_everywhere"  # flux and error are NaN


def damage(path: str | Path, kind: Damage) -> None:
    """Replace a good apStar file by a damaged one.

    Raises
    ------
    OSError
        The file is not there or cannot be written.
    """
    content = damaged(Path(path).read_bytes(), kind)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def damaged(content: bytes, kind: Damage) -> bytes:
    """Return the content of a good apStar file with one thing wrong."""
    if kind is Damage.EMPTY:
        return b""
    if kind is Damage.TRUNCATED:
        return content[: len(content) // 10]
    from astropy.io import fits

    with fits.HDUList.fromstring(content) as hdus:
        stream = io.BytesIO()
        _spoil(hdus, kind).writeto(stream)
        return stream.getvalue()


def _spoil(hdus: fits.HDUList, kind: Damage) -> fits.HDUList:
    """Return the opened file with one thing wrong; its arrays are replaced, never written into."""
    if kind is Damage.WRONG_HDUS:
        return type(hdus)(hdus[:2])
    if kind is Damage.WRONG_GRID:
        for hdu in hdus[:8]:
            hdu.header["CRVAL1"], hdu.header["CDELT1"] = 3.5, 1e-4
    if kind is Damage.ALL_MASKED:
        hdus[3].data = hdus[3].data | 1
    if kind is Damage.NO_VISITS:
        _forget_visits(hdus[0].header)
    if kind is Damage.NAN_EVERYWHERE:
        for hdu in hdus[1:3]:
            hdu.data = np.full_like(hdu.data, np.nan)
    return hdus


def _forget_visits(header: Header) -> None:
    for number in range(1, header["NVISITS"] + 1):
        for name in ("SFILE", "DATE", "JD", "FIBER", "SNRVIS", "FLAG", "VRAD", "VHELIO"):
            header.remove(f"{name}{number}", ignore_missing=True)
    header["NVISITS"] = 0
