"""The normalised spectrum of a star, as a FITS file.

HDU 0 holds the star and the provenance, 1 to 3 the images FLUX, IVAR and CONTINUUM (rows, 8575) with the wavelength
keywords of apStar files (log10 of the vacuum wavelength), 4 the table VISITS.  Images are in single precision: its
rounding (6e-8 of a flux near 1) moves labels by less than 1e-5 of their errors, and a product of one row takes 121 kB
instead of 224 kB.  They are not compressed: that would halve the file and double the time to read it.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH, is_apstar_grid
from apogee_labels.apogee.spectra.masks import StarFlag
from apogee_labels.cannon.continuum.normalization import Normalized, stacked_rows
from apogee_labels.cannon.io.normalized_file import (
    IMAGES,
    Card,
    ProductParts,
    parse_product,
    prepare_templates,
    product_bytes,
    visit_type,
)
from apogee_labels.core.arrays import Floats, Indices
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.files import atomic_write
from apogee_labels.fits.checked import read_checked
from apogee_labels.fits.header import UNCLEAR

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.io.fits.header import Header

    from apogee_labels.apogee.spectra.apstar import ApStar, Visit

Provenance = Mapping[str, str | int | float]

_STRUCTURE = {"SIMPLE", "BITPIX", "NAXIS", "EXTEND", "CHECKSUM", "DATASUM", ""}
_STAR = {"OBJID", "SNR", "STARFLAG", "RA", "DEC", "NVISITS", "STACKED", "CONTENT", "NUMPYVER", "ASTROVER"}


@dataclass(frozen=True, eq=False)
class NormalizedSpectrum:
    """What a product holds: the normalised rows of one star, and what made them."""

    flux: Floats
    """Flux over continuum, shape (n, P), 1 where nothing is known."""
    ivar: Floats
    """Its inverse variance, shape (n, P), 0 where nothing is known."""
    continuum: Floats
    """The continuum divided out, shape (n, P), 1e-17 erg/s/cm^2/A."""
    wavelength: Floats
    """Vacuum Angstrom, shape (P,)."""
    mjds: tuple[int | None, ...]
    """SDSS MJD of each row; None for a row that stacks several visits."""
    visit_mjds: tuple[int, ...]
    """SDSS MJD of every visit that is in the rows."""
    obj: str
    snr: float
    """Signal-to-noise ratio per pixel as the apStar file gives it; NaN when it does not."""
    starflag: StarFlag
    content: str
    """Digest of the apStar file's content."""
    provenance: dict[str, str | int | float]

    @property
    def stacked(self) -> bool:
        """Whether the one row is a stack of several visits."""
        return self.mjds == (None,)


def write_normalized(path: str | Path, normalized: Normalized, *, star: ApStar, provenance: Provenance) -> None:
    """Write a product, atomically; the same input gives the same bytes.

    Parameters
    ----------
    path
        The file to write or replace.
    normalized
        A row a visit, or the one row of their stack.
    star
        What was normalised.
    provenance
        Values for the header, such as digests and versions; names of more than 8 characters become HIERARCH cards.

    Raises
    ------
    ValueError
        A provenance name is one of the file's own or no FITS keyword, or the rows are not those of `star`.
    OSError
        The file cannot be written.
    """
    rows = len(normalized.flux)
    if rows not in (1, len(star.visit_rows)):
        raise ValueError(f"expected 1 or {len(star.visit_rows)} normalised rows for {star.obj}, got {rows}.")
    visits = _visits_of(star, stacked_rows(star) if rows == 1 else star.visit_rows)
    content = product_bytes(
        _cards(star, len(visits), rows, provenance), normalized, _visit_rows(visits, 0 if rows == 1 else 1)
    )
    with atomic_write(path, durable=False) as temporary:
        temporary.write_bytes(content)


def read_normalized(path: str | Path) -> NormalizedSpectrum:
    """Read a product and check it against its own sums.

    Raises
    ------
    BadInputError
        ``UNREADABLE`` or ``WRONG_LAYOUT``: not a whole product; delete it, and normalise the star again.
    OSError
        The file is not there or cannot be read.
    """
    parts = parse_product(Path(path).read_bytes())
    if parts is None or UNCLEAR in parts.cards.values():
        parts = read_checked(path, _by_astropy, lambda reason, what: _bad(path, reason, what))
    try:
        return _spectrum(parts)
    except KeyError as fault:
        raise _bad(path, Reason.WRONG_LAYOUT, f"no {fault} in its header") from fault


def _by_astropy(hdus: fits.HDUList) -> ProductParts:
    """Return the parts of a file that was not written by this code with these versions, or is damaged."""
    header, table = hdus[0].header, hdus["VISITS"].data
    if len(hdus) != len(IMAGES) + 2:
        raise ValueError(f"{len(hdus)} HDUs")
    images = tuple(np.asarray(hdus[name].data, dtype=np.float64) for name in IMAGES)
    _check_grid(hdus["FLUX"].header, images[0].shape[1])
    for needed in ("OBJID", "STARFLAG", "STACKED", "CONTENT"):
        header[needed]
    return ProductParts({key: header[key] for key in header}, images, table)


def _spectrum(parts: ProductParts) -> NormalizedSpectrum:
    cards, mjds = parts.cards, tuple(int(mjd) for mjd in parts.visits["MJD"])
    flux, ivar, continuum = parts.images
    return NormalizedSpectrum(
        flux=flux,
        ivar=ivar,
        continuum=continuum,
        wavelength=WAVELENGTH,  # so that it agrees with that of apStar files to the last bit
        mjds=(None,) if cards["STACKED"] else mjds,
        visit_mjds=mjds,
        obj=cards["OBJID"],
        snr=float(cards.get("SNR", math.nan)),
        starflag=StarFlag(cards["STARFLAG"]),
        content=cards["CONTENT"],
        provenance={key: value for key, value in cards.items() if key not in _STRUCTURE | _STAR},
    )


def _cards(star: ApStar, visits: int, rows: int, provenance: Provenance) -> list[Card]:
    places: list[Card] = [
        ("SNR", star.snr, "signal-to-noise ratio per pixel"),
        ("RA", star.ra, "[deg] ICRS"),
        ("DEC", star.dec, "[deg] ICRS"),
    ]
    return [
        ("OBJID", star.obj, "star"),
        *((key, float(number), comment) for key, number, comment in places if math.isfinite(float(number))),
        ("STARFLAG", int(star.starflag), "bits of apogee.spectra.masks.StarFlag"),
        ("NVISITS", visits, "visits in the rows"),
        ("STACKED", rows < visits, "the row is the visits' weighted mean"),
        ("CONTENT", star.digest, ""),  # 64 characters leave no room for a comment
        ("NUMPYVER", np.__version__, ""),
        ("ASTROVER", _astropy_version(), ""),
        *((_keyword(key), value, "") for key, value in provenance.items()),
    ]


def prepare_headers() -> None:
    """Find out now what all headers share, so that processes which are forked from this one need not."""
    prepare_templates()
    _astropy_version()


@cache
def _astropy_version() -> str:
    """Ask once: the answer is parsed out of the package's metadata each time, without importing it."""
    return importlib.metadata.version("astropy")


def _keyword(key: str) -> str:
    """Return the name of a provenance card; a long one says that it is a HIERARCH card, or astropy warns."""
    if key.upper() in _STRUCTURE | _STAR or not key.isascii() or not key.replace("_", "").replace("-", "").isalnum():
        raise ValueError(
            f"expected a provenance name of letters, digits, - and _ other than the file's own keywords, got {key!r}."
        )
    return key if len(key) <= 8 and key.isupper() else f"HIERARCH {key}"


def _visit_rows(visits: list[Visit], step: int) -> NDArray[Any]:
    """Return the table of visits, whose rows in the images are 0, `step`, 2 `step`, ..."""
    files = [(visit.file or "").encode("ascii") for visit in visits]
    rows = [
        (
            step * index,
            visit.number,
            visit.mjd,
            -1 if visit.fiber is None else visit.fiber,
            math.nan if visit.snr is None else visit.snr,
            int(visit.starflag),
            file,
        )
        for index, (visit, file) in enumerate(zip(visits, files, strict=True))
    ]
    return np.array(rows, dtype=visit_type(max(1, *map(len, files))))


def _visits_of(star: ApStar, rows: Indices) -> list[Visit]:
    """Return the visits of these rows, in their order."""
    by_row = {visit.row: visit for visit in star.visits if visit.row is not None}
    return [by_row[int(row)] for row in rows]


def _check_grid(header: Header, pixels: int) -> None:
    keywords = [float(header[key]) for key in ("CRVAL1", "CDELT1", "CRPIX1")]
    if pixels != N_PIXELS or not is_apstar_grid(*keywords):
        raise ValueError(f"{pixels} pixels on the grid {keywords}, which is not that of apStar files")


def _bad(path: str | Path, reason: Reason, what: str) -> BadInputError:
    return BadInputError(
        reason, f"{path}: expected a normalised spectrum, found {what}; delete it and normalise again."
    )
