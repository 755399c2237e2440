"""apStar files of every layout, made with astropy."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

N_PIXELS = 8575
FIRST_MJD = 59280
Edit = Callable[[fits.HDUList], None]
Build = Callable[..., bytes]


def _spectra(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flux, error and mask: known numbers, detector gaps at both ends, some bad pixels."""
    rng = np.random.default_rng(seed)
    flux = rng.normal(500.0, 5.0, (n_rows, N_PIXELS))
    error = rng.uniform(4.0, 6.0, (n_rows, N_PIXELS))
    mask = rng.choice([0, 0, 0, 1 << 12, 1 << 9, 1 << 1], (n_rows, N_PIXELS))
    return flux, error, mask


def _primary(layout: str, n_visits: int) -> fits.Header:
    header = fits.Header()
    header["CRVAL1"], header["CDELT1"], header["CRPIX1"], header["CTYPE1"] = 4.179, 6e-6, 1, "LOG-LINEAR"
    header["OBJID"], header["SNR"] = "2M16505794-2118004", 101.5
    header["RA"], header["DEC"], header["STARFLAG"], header["ANDFLAG"] = 252.741447, -21.300121, 4, 0
    header["NVISITS"] = n_visits
    if layout == "sdss5":
        header["HEALPIX"], header["APRED"] = 87654, "1.3"
    else:
        header["FIELD"] = "000+14"
    if layout == "dr16":
        header["TELESCOP"], header["LOCID"] = "apo25m", 5200
    for k in range(1, n_visits + 1):
        mjd, middle = FIRST_MJD + k, "apo25m-" if layout == "sdss5" else ""
        apred = {"dr16": "r12", "dr17": "dr17", "sdss5": "1.3"}[layout]
        header.add_comment(f"VISIT {k} INFORMATION:")
        header[f"SFILE{k}"] = f"apVisit-{apred}-{middle}5815-{mjd}-{200 + k}.fits"
        header[f"DATE{k}"], header[f"JD{k}"] = "2021-03-07T06:00:00.000", mjd + 2400000.5 + 0.25
        header[f"FIBER{k}"], header[f"SNRVIS{k}"], header[f"FLAG{k}"] = 200 + k, 50.0 + k, 4 * (k % 2)
        header[f"VRAD{k}" if layout == "sdss5" else f"VHELIO{k}"] = -12.5
    return header


def _build(
    layout: str = "dr17", n_visits: int = 3, n_rows: int | None = None, seed: int = 1, edit: Edit | None = None
) -> bytes:
    """Bytes of an apStar file; `n_rows` 0 makes 1-D arrays, `edit` changes the HDUs before they are written."""
    if n_rows is None:
        n_rows = n_visits + 2 if n_visits > 1 else {"dr16": 0, "dr17": 2, "sdss5": 1}[layout]
    flux, error, mask = _spectra(max(n_rows, 1), seed)
    gap = slice(0, 50)
    flux[:, gap], error[:, gap] = (0.0, 1e10) if layout == "dr16" else (np.nan, np.nan)
    if n_rows == 2:
        flux[1], error[1], mask[1] = 0.0, 0.0, 0
    real, whole = ("f4", "i2") if layout == "dr16" else ("f8", "i8")
    hdus = fits.HDUList([fits.PrimaryHDU(header=_primary(layout, n_visits))])
    units = ["Flux (10^-17 erg/s/cm^2/Ang)", "Err (10^-17 erg/s/cm^2/Ang)", "Pixel bitmask", "Sky", "Telluric"]
    for data, kind, unit in zip((flux, error, mask, error, error), (real, real, whole, real, real), units, strict=True):
        image = fits.ImageHDU((data[0] if n_rows == 0 else data).astype(kind))
        image.header["CRVAL1"], image.header["CDELT1"], image.header["CRPIX1"] = 4.179, 6e-6, 1
        image.header["CTYPE1"], image.header["BUNIT"] = "LOG-LINEAR", unit
        hdus.append(image)
    hdus.append(fits.BinTableHDU.from_columns([fits.Column("JD", "D", array=np.arange(n_visits) + 2459281.0)]))
    if edit is not None:
        edit(hdus)
    stream = io.BytesIO()
    hdus.writeto(stream)
    return stream.getvalue()


@pytest.fixture(scope="session")
def build_apstar() -> Build:
    """Make the bytes of an apStar file: build_apstar(layout, n_visits, n_rows, seed, edit)."""
    return _build


@pytest.fixture
def write_apstar(tmp_path: Path) -> Callable[..., Path]:
    """Make an apStar file on disk, named as its release names it."""

    def write(*, name: str = "apStar-dr17-2M16505794-2118004.fits", **options: object) -> Path:
        path = tmp_path / name
        path.write_bytes(_build(**options))  # type: ignore[arg-type]
        return path

    return write
