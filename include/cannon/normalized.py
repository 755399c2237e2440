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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from include.apogee.grid import LOG_START, LOG_STEP, N_PIXELS, WAVELENGTH, is_apstar_grid
from include.apogee.masks import StarFlag
from include.cannon.continuum import Normalized, stacked_rows
from include.checked_fits import read_checked
from include.errors import BadInputError, Reason
from include.files import atomic_write

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.io.fits.header import Header

    from include.apogee.apstar import ApStar, Visit

Floats = NDArray[np.float64]
Provenance = Mapping[str, str | int | float]

FLUX_UNIT = "10**-17 erg/s/cm**2/Angstrom"
_GRID = {"CRVAL1": LOG_START, "CDELT1": LOG_STEP, "CRPIX1": 1, "CTYPE1": "LOG-LINEAR", "DC-FLAG": 1}
_IMAGES = ("FLUX", "IVAR", "CONTINUUM")
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
    from astropy.io import fits

    rows = len(normalized.flux)
    if rows not in (1, len(star.visit_rows)):
        raise ValueError(f"expected 1 or {len(star.visit_rows)} normalised rows for {star.obj}, got {rows}.")
    visits = _visits_of(star, stacked_rows(star) if rows == 1 else star.visit_rows)
    hdus: list[Any] = [fits.PrimaryHDU(header=_header(star, len(visits), rows, provenance))]
    hdus += [_image(name, array) for name, array in zip(_IMAGES, normalized, strict=True)]
    hdus.append(_visit_table(visits, np.zeros(len(visits)) if rows == 1 else np.arange(rows)))
    product = fits.HDUList(hdus)
    product.update_extend()  # writeto() would add EXTEND after the sum of the header was taken
    for hdu in product:
        hdu.add_datasum(when="sum of the data")
        hdu.add_checksum(when="sum of the HDU", override_datasum=True)
    with atomic_write(path) as temporary:
        product.writeto(temporary, overwrite=True)


def read_normalized(path: str | Path) -> NormalizedSpectrum:
    """Read a product and check it against its own sums.

    Raises
    ------
    BadInputError
        ``UNREADABLE`` or ``WRONG_LAYOUT``: not a whole product; delete it, and normalise the star again.
    OSError
        The file is not there or cannot be read.
    """
    return read_checked(path, _parse, lambda reason, what: _bad(path, reason, what))


def _parse(hdus: fits.HDUList) -> NormalizedSpectrum:
    header, table = hdus[0].header, hdus["VISITS"].data
    if len(hdus) != len(_IMAGES) + 2:
        raise ValueError(f"{len(hdus)} HDUs")
    flux, ivar, continuum = (np.asarray(hdus[name].data, dtype=np.float64) for name in _IMAGES)
    mjds = tuple(int(mjd) for mjd in table["MJD"])
    return NormalizedSpectrum(
        flux=flux,
        ivar=ivar,
        continuum=continuum,
        wavelength=_wavelength(hdus["FLUX"].header, flux.shape[1]),
        mjds=(None,) if header["STACKED"] else mjds,
        visit_mjds=mjds,
        obj=header["OBJID"],
        snr=float(header.get("SNR", math.nan)),
        starflag=StarFlag(header["STARFLAG"]),
        content=header["CONTENT"],
        provenance={key: header[key] for key in header if key not in _STRUCTURE | _STAR},
    )


def _header(star: ApStar, visits: int, rows: int, provenance: Provenance) -> Header:
    from astropy.io.fits.header import Header

    header = Header()
    header["OBJID"] = (star.obj, "star")
    for key, number, comment in (
        ("SNR", star.snr, "signal-to-noise ratio per pixel"),
        ("RA", star.ra, "[deg] ICRS"),
        ("DEC", star.dec, "[deg] ICRS"),
    ):
        if math.isfinite(number):  # FITS has no NaN
            header[key] = (float(number), comment)
    header["STARFLAG"] = (int(star.starflag), "bits, see include/apogee/masks.py")
    header["NVISITS"] = (visits, "visits in the rows")
    header["STACKED"] = (rows < visits, "the row is the visits' weighted mean")
    header["CONTENT"] = (star.digest, "")  # 64 characters leave no room for a comment
    header["NUMPYVER"], header["ASTROVER"] = np.__version__, importlib.metadata.version("astropy")
    for key, value in provenance.items():
        header[_keyword(key)] = value
    return header


def _keyword(key: str) -> str:
    """Return the name of a provenance card; a long one says that it is a HIERARCH card, or astropy warns."""
    if key.upper() in _STRUCTURE | _STAR or not key.isascii() or not key.replace("_", "").replace("-", "").isalnum():
        raise ValueError(
            f"expected a provenance name of letters, digits, - and _ other than the file's own keywords, got {key!r}."
        )
    return key if len(key) <= 8 and key.isupper() else f"HIERARCH {key}"


def _image(name: str, array: Floats) -> fits.ImageHDU:
    from astropy.io import fits
    from astropy.io.fits.header import Header

    header = Header(_GRID)
    if name == "CONTINUUM":
        header["BUNIT"] = FLUX_UNIT
    return fits.ImageHDU(array.astype(np.float32), header, name=name)


def _visit_table(visits: list[Visit], rows: NDArray[Any]) -> fits.BinTableHDU:
    from astropy.io import fits

    files = [visit.file or "" for visit in visits]
    columns = [
        fits.Column("ROW", "J", array=rows),
        fits.Column("NUMBER", "J", array=[visit.number for visit in visits]),
        fits.Column("MJD", "J", array=[visit.mjd for visit in visits]),
        fits.Column("FIBER", "J", null=-1, array=[-1 if visit.fiber is None else visit.fiber for visit in visits]),
        fits.Column("SNR", "E", array=[math.nan if visit.snr is None else visit.snr for visit in visits]),
        fits.Column("STARFLAG", "K", array=[int(visit.starflag) for visit in visits]),
        fits.Column("FILE", f"{max(1, *map(len, files))}A", array=files),
    ]
    table: fits.BinTableHDU = fits.BinTableHDU.from_columns(columns, name="VISITS")
    return table


def _visits_of(star: ApStar, rows: NDArray[np.intp]) -> list[Visit]:
    """Return the visits of these rows, in their order."""
    by_row = {visit.row: visit for visit in star.visits if visit.row is not None}
    return [by_row[int(row)] for row in rows]


def _wavelength(header: Header, pixels: int) -> Floats:
    """Return the shared grid, so that it agrees with that of apStar files to the last bit."""
    keywords = [float(header[key]) for key in ("CRVAL1", "CDELT1", "CRPIX1")]
    if pixels != N_PIXELS or not is_apstar_grid(*keywords):
        raise ValueError(f"{pixels} pixels on the grid {keywords}, which is not that of apStar files")
    return WAVELENGTH


def _bad(path: str | Path, reason: Reason, what: str) -> BadInputError:
    return BadInputError(
        reason, f"{path}: expected a normalised spectrum, found {what}; delete it and normalise again."
    )
