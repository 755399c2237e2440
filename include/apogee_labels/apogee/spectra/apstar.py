"""Reading apStar files: one star, its combined spectrum and its visits, from DR12's layout to SDSS-V's.

An :class:`ApStar` says the same things in the same way whatever the release (SDSS data model ``apStar``).  Flux is
finite everywhere and the inverse variance is 0 wherever nothing is known, so that sums over pixels need no more care.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apogee_labels.apogee.spectra.apstar_header import ApStarHeader, naming, parse_header, read_header
from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH, is_apstar_grid
from apogee_labels.apogee.spectra.masks import BAD_PIXEL, StarFlag
from apogee_labels.apogee.spectra.rows import COMBINED_ROW, N_COMBINED, arrange_rows
from apogee_labels.apogee.spectra.visits import Visit
from apogee_labels.core.arrays import Bools, Floats, Indices, Integers
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_bytes
from apogee_labels.fits.content import Hdu, read_hdus, read_image
from apogee_labels.fits.input_file import read_content

__all__ = ["READER_VERSION", "ApStar", "ApStarHeader", "Visit", "parse_apstar", "read_apstar", "read_header"]

READER_VERSION = "1"
"""Changes whenever a file may be read differently: what was rejected by an older reader is tried again."""

NO_INFORMATION_ERROR = 1e9
"""Errors from here on (in the file's unit) mark pixels without information; writers put 1e10 there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ApStar:
    """One star as an apStar file has it.

    Parameters
    ----------
    wavelength
        Vacuum, at rest, Angstrom; shape (P,), P = 8575; read-only.
    flux
        1e-17 erg/s/cm^2/A; shape (rows, P); finite everywhere.
    ivar
        Inverse variance of the flux; shape (rows, P); 0 where nothing is known: a bad bit in the mask, an error of
        1e9 or more, 0, negative or NaN, a flux of NaN.
    mask
        :class:`~apogee_labels.apogee.spectra.masks.PixelMask` bits, as they are in the file; shape (rows, P).
    visits
        Every visit that the header describes.
    visit_rows
        Rows that are single visits and hold a spectrum; a file of one visit: row 0.
    combined_row
        Row of the visits combined.
    obj, snr, telescope, field, healpix, apred, ra, dec, starflag
        As in :class:`~apogee_labels.apogee.spectra.apstar_header.ApStarHeader`; an S/N that the header lacks is measured.
    digest
        SHA-256 of the bytes that were parsed.
    path
        Where they were read.
    """

    wavelength: Floats
    flux: Floats
    ivar: Floats
    mask: Integers
    visits: tuple[Visit, ...]
    visit_rows: Indices
    obj: str
    snr: float
    digest: str
    telescope: str | None
    field: str | None
    healpix: int | None
    apred: str | None
    ra: float
    dec: float
    starflag: StarFlag
    path: str
    combined_row: int = COMBINED_ROW


def read_apstar(path: str | Path) -> ApStar:
    """Read an apStar file of any release, its bytes once.

    Raises
    ------
    BadInputError
        The file is not there, is no file, or is not an apStar file with information in it; `reason` says which.
    OSError
        Trouble that may pass: a disk, a network, a permission.
    """
    return parse_apstar(read_content(path), path=path)


def parse_apstar(content: bytes, *, path: str | Path, digest: str | None = None) -> ApStar:
    """Understand the bytes of an apStar file.

    Parameters
    ----------
    content
        The whole file.
    path
        Where it was read: for messages, and for the star's name where the header has none.
    digest
        SHA-256 of the content, where the caller knows it.

    Raises
    ------
    BadInputError
        EMPTY, UNREADABLE, WRONG_LAYOUT, WRONG_GRID, NO_VISITS or NO_INFORMATION.
    """
    with naming(path):
        if not content:
            raise BadInputError(Reason.EMPTY, "expected a FITS file, got 0 bytes; fetch it again.")
        hdus = read_hdus(content)
        header = parse_header(hdus[0].cards, path=path)
        flux, error, mask = _read_images(content, hdus)
        rows = arrange_rows(len(flux), n_described=len(header.visits), n_declared=header.n_declared)
        ivar = _inverse_variance(flux, error, mask, rows)
        visits = _place_visits(header.visits, rows, ivar)
    snr = _measured_snr(flux, ivar) if math.isnan(header.snr) else header.snr
    identity = {name: getattr(header, name) for name in _SHARED}
    return ApStar(
        wavelength=WAVELENGTH,
        flux=np.where(np.isfinite(flux), flux, 0.0),
        ivar=ivar,
        mask=mask,
        visits=visits,
        visit_rows=np.array([visit.row for visit in visits if visit.row is not None], dtype=np.intp),
        snr=snr,
        digest=digest or digest_bytes(content),
        path=str(path),
        **identity,
    )


_SHARED = ("obj", "telescope", "field", "healpix", "apred", "ra", "dec", "starflag")


def _read_images(content: bytes, hdus: list[Hdu]) -> tuple[Floats, Floats, Integers]:
    """Flux, error and mask in native types, each (rows, P), from HDU 1 to 3."""
    if len(hdus) < 4:
        raise BadInputError(Reason.WRONG_LAYOUT, f"expected flux, error and mask in HDU 1 to 3, got {len(hdus)} HDUs.")
    images = [read_image(content, hdu) for hdu in hdus[1:4]]
    shapes, kinds = [image.shape for image in images], "".join(image.dtype.kind for image in images)
    if len(set(shapes)) > 1 or not 1 <= len(shapes[0]) <= 2 or kinds != "ffi" or 0 in shapes[0]:
        raise BadInputError(
            Reason.WRONG_LAYOUT,
            f"expected real flux and error and an integer mask of one shape (rows, {N_PIXELS}), got types {kinds} "
            f"and shapes {shapes}.",
        )
    _check_grid(hdus, shapes[0][-1])
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        flux, error = (np.atleast_2d(image).astype(np.float64) for image in images[:2])
    return flux, error, np.atleast_2d(images[2]).astype(np.int64)


def _check_grid(hdus: list[Hdu], n_pixels: int) -> None:
    """See that the keywords of the wavelengths, in HDU 0 or 1 or both, are those of the apStar grid."""
    described = [hdu.cards for hdu in hdus[:2] if "CRVAL1" in hdu.cards]
    for cards in described:
        start, step, reference = (cards.number(keyword) for keyword in ("CRVAL1", "CDELT1", "CRPIX1"))
        linear = (cards.text("CTYPE1") or "LOG-LINEAR").upper()
        if start is None or step is None or linear != "LOG-LINEAR" or not is_apstar_grid(start, step, reference or 1.0):
            raise BadInputError(
                Reason.WRONG_GRID,
                f"expected CRVAL1 = 4.179, CDELT1 = 6e-06, CTYPE1 = LOG-LINEAR, got {start}, {step}, {linear}.",
            )
    if not described or n_pixels != N_PIXELS:
        keyword = "CRVAL1" if described else "no CRVAL1"
        raise BadInputError(
            Reason.WRONG_GRID, f"expected {N_PIXELS} pixels and CRVAL1, got {n_pixels} pixels and {keyword}."
        )


def _inverse_variance(flux: Floats, error: Floats, mask: Integers, visit_rows: tuple[int, ...]) -> Floats:
    """Inverse variance, (rows, P), 0 where nothing is known.

    The mask of a combined row is the OR of the visits in one release and their AND in another, or was left zero.  The
    AND of the visits' own masks is what their combination means in all of them: the pixel was never seen well.
    """
    bad: Bools = np.not_equal(mask & int(BAD_PIXEL), 0)
    known: Bools = np.isfinite(flux) & (error > 0) & (error < NO_INFORMATION_ERROR)
    written = [row for row in visit_rows if known[row].any()]
    if written:
        bad[:N_COMBINED] = bad[written].all(axis=0)
    with np.errstate(all="ignore"):
        ivar = 1.0 / (error * error)
    return np.where(known & ~bad & np.isfinite(ivar), ivar, 0.0)


def _place_visits(visits: tuple[Visit, ...], rows: tuple[int, ...], ivar: Floats) -> tuple[Visit, ...]:
    """Give each visit its row, or None where that row holds nothing."""
    informed: Bools = np.any(ivar > 0, axis=1)
    if not informed.any():
        raise BadInputError(Reason.NO_INFORMATION, "expected pixels with a flux and an error, got none in any row.")
    if not any(informed[row] for row in rows):
        raise BadInputError(Reason.NO_VISITS, f"expected a spectrum in the row of a visit, got none in {len(rows)}.")
    return tuple(replace(visit, row=row if informed[row] else None) for visit, row in zip(visits, rows, strict=False))


def _measured_snr(flux: NDArray[Any], ivar: NDArray[Any]) -> float:
    """Median signal-to-noise ratio of the combined row's known pixels; NaN when it has none."""
    known = ivar[COMBINED_ROW] > 0
    ratio = flux[COMBINED_ROW, known] * np.sqrt(ivar[COMBINED_ROW, known])
    return float(np.median(ratio)) if known.any() else math.nan
