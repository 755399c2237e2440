"""apStar files of synthetic stars, in the layouts of DR16, DR17 and SDSS-V.

Sources: the SDSS data model of apStar and the code that writes it.  The same visits give the same bytes: no header
holds the time of writing.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apogee_labels.apogee.archive.nights import site_of
from apogee_labels.apogee.spectra.grid import LOG_START, LOG_STEP, N_PIXELS
from apogee_labels.apogee.spectra.masks import BAD_PIXEL, PixelMask
from apogee_labels.core.arrays import Floats, Integers
from apogee_labels.simulation.exposures import Exposure, SyntheticStar
from apogee_labels.simulation.spectra import on_chips

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.io.fits.header import Header


_UNIT = "(10^-17 erg/s/cm^2/Ang)"
_UNKNOWN = 1e10  # error of a pixel without information
_JD_OFFSET = 2_400_000.5


class Layout(StrEnum):
    """Which generation of the reduction wrote the file."""

    DR16 = "dr16"
    DR17 = "dr17"
    SDSS5 = "sdss5"


def layout_of(release: str) -> Layout:
    """Return the layout of a release's files."""
    if release == "dr17":
        return Layout.DR17
    return Layout.DR16 if release in {"dr12", "dr13", "dr14", "dr15", "dr16"} else Layout.SDSS5


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The arrays of a file, each of shape (rows, 8575): the combined rows, then the visits."""

    flux: Floats
    error: Floats
    mask: Integers


class _Combined(NamedTuple):
    flux: Floats  # (2, P): weighted pixel by pixel, and with one weight a visit
    error: Floats


def apstar_bytes(star: SyntheticStar, visits: Sequence[Exposure], *, release: str, apred: str) -> bytes:
    """Return the content of the apStar file of a star with these visits, at least one."""
    from astropy.io import fits

    layout = layout_of(release)
    rows = _rows(visits, layout)
    header = _header(star, visits, layout, apred)
    chips = on_chips()
    with np.errstate(invalid="ignore", divide="ignore"):
        header["SNR"] = (round(float(np.median((rows.flux[0] / rows.error[0])[chips])), 4), "median of row 0")
    hdus = fits.HDUList([fits.PrimaryHDU(header=header), *_images(rows, visits, layout), *_tables(visits, layout)])
    stream = io.BytesIO()
    hdus.writeto(stream)
    return stream.getvalue()


def _rows(visits: Sequence[Exposure], layout: Layout) -> _Rows:
    """Stack the visits below their combinations; a single visit is its own, above a row of zeros in newer files."""
    combined = _combine(visits)
    masks = np.array([visit.mask for visit in visits])
    if len(visits) == 1:
        count = 1 if layout is Layout.DR16 else 2
        flux, error, mask = (np.zeros((count, N_PIXELS)) for _ in range(3))
        flux[0], error[0], mask[0] = combined.flux[0], combined.error[0], masks[0]
        filled = slice(1)
    else:
        both, either = np.bitwise_and.reduce(masks), np.bitwise_or.reduce(masks)
        heads = [either, both] if layout is Layout.DR16 else [both, np.zeros_like(both)]
        flux = np.vstack([combined.flux, [visit.flux for visit in visits]])
        error = np.vstack([combined.error, [_error(visit) for visit in visits]])
        mask = np.vstack([heads, masks])
        filled = slice(None)
    gap = ~on_chips()
    flux[filled, gap], error[filled, gap] = (0.0, _UNKNOWN) if layout is Layout.DR16 else (np.nan, np.nan)
    return _Rows(flux=flux, error=error, mask=mask.astype(np.int64))


def _error(visit: Exposure) -> Floats:
    return np.where(visit.mask & int(BAD_PIXEL), _UNKNOWN, visit.error)


def _combine(visits: Sequence[Exposure]) -> _Combined:
    """Both combinations of visits that were brought to one level, as the reduction makes them."""
    chips = on_chips()
    level = np.array([np.median(visit.flux[chips]) for visit in visits])[:, None]
    flux, error = (
        np.array([visit.flux for visit in visits]) / level,
        np.array([_error(visit) for visit in visits]) / level,
    )
    by_pixel = error**-2.0
    by_visit = np.median(error, axis=1, keepdims=True) ** -2.0 * np.ones_like(error)
    weights = np.stack([by_pixel, by_visit])
    total = weights.sum(axis=1)
    return _Combined((weights * flux).sum(axis=1) / total * level.mean(), total**-0.5 * level.mean())


def _header(star: SyntheticStar, visits: Sequence[Exposure], layout: Layout, apred: str) -> Header:
    from astropy.io.fits.header import Header

    header = Header({"CRVAL1": LOG_START, "CDELT1": LOG_STEP, "CRPIX1": 1, "CTYPE1": "LOG-LINEAR", "DC-FLAG": 1})
    header["OBJID"] = (star.obj, "synthetic star")
    header["RA"], header["DEC"] = (star.ra, "[deg]"), (star.dec, "[deg]")
    header["H" if layout is not Layout.SDSS5 else "HMAG"] = round(star.h_mag, 3)
    if layout is Layout.SDSS5:
        header["HEALPIX"], header["APRED"], header["STARVER"] = star.healpix, apred, str(visits[-1].mjd)
    else:
        header["FIELD"] = star.field
    if layout is Layout.DR16:
        header["TELESCOP"], header["LOCID"] = star.telescope, 4000 + star.healpix % 1000
    header["NVISITS"], header["STARFLAG"], header["ANDFLAG"] = len(visits), 0, 0
    for number, visit in enumerate(visits, 1):
        _describe_visit(header, number, visit, star.telescope, layout, apred)
    return header


def _describe_visit(header: Header, number: int, visit: Exposure, telescope: str, layout: Layout, apred: str) -> None:
    new = layout is Layout.SDSS5
    prefix = "ap" if new else site_of(telescope).sdss_prefix
    middle = f"{telescope}-" if new else ""
    header[f"SFILE{number}"] = f"{prefix}Visit-{apred}-{middle}{_plate(telescope)}-{visit.mjd}-{visit.fiber:03d}.fits"
    header[f"JD{number}"] = _julian_date(visit)
    header[f"FIBER{number}"], header[f"SNRVIS{number}"], header[f"FLAG{number}"] = visit.fiber, visit.snr, 0
    header[f"{'VRAD' if new else 'VHELIO'}{number}"] = 12.3


def _plate(telescope: str) -> int:
    return 15303 if telescope == "apo25m" else 15401


def _julian_date(visit: Exposure) -> float:
    return visit.mjd + _JD_OFFSET + 0.25


def _images(rows: _Rows, visits: Sequence[Exposure], layout: Layout) -> list[fits.ImageHDU]:
    """HDU 1 to 7: flux, error, mask, sky, its error, telluric absorption, its error."""
    real, whole = (np.float32, np.int16) if layout is Layout.DR16 else (np.float64, np.int64)
    is_sky = (rows.mask & int(PixelMask.SIG_SKYLINE)) != 0
    sky = np.where(is_sky, 500.0, 5.0)
    images: list[tuple[NDArray[Any], type, str]] = [
        (rows.flux, real, f"Flux {_UNIT}"),
        (rows.error, real, f"Err {_UNIT}"),
        (rows.mask, whole, "Pixel bitmask"),
        (sky, real, f"Sky {_UNIT}"),
        (0.1 * sky, real, f"Sky Error {_UNIT}"),
        (np.ones_like(sky), real, "Telluric"),
        (np.full_like(sky, 0.01), real, "Telluric Error"),
    ]
    flat = layout is Layout.DR16 and len(visits) == 1
    return [_image((data[0] if flat else data).astype(kind), unit) for data, kind, unit in images]


def _image(data: NDArray[Any], unit: str) -> fits.ImageHDU:
    from astropy.io import fits
    from astropy.io.fits.header import Header

    header = Header({"CRVAL1": LOG_START, "CDELT1": LOG_STEP, "CRPIX1": 1, "CTYPE1": "LOG-LINEAR", "BUNIT": unit})
    return fits.ImageHDU(data, header)


def _tables(visits: Sequence[Exposure], layout: Layout) -> list[Any]:
    """HDU 8, line-spread function, and HDU 9, velocities; DR17 has an HDU 10."""
    from astropy.io import fits

    if layout is Layout.DR16:
        column = fits.Column("MJD", f"{len(visits)}J", array=np.array([[visit.mjd for visit in visits]]))
        return [fits.ImageHDU(np.zeros(27)), fits.BinTableHDU.from_columns([column])]
    velocities = fits.BinTableHDU.from_columns(
        [fits.Column("JD", "D", array=[_julian_date(visit) for visit in visits])]
    )
    if layout is Layout.DR17:
        return [fits.ImageHDU(), velocities, fits.ImageHDU()]
    return [fits.BinTableHDU(), velocities]
