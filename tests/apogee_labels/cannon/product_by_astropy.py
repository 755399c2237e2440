"""The slow twin of :mod:`apogee_labels.cannon.io.normalized_file`: a product as astropy writes it, unit by unit."""

from __future__ import annotations

import importlib.metadata
import math
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.header import Header

from apogee_labels.apogee.spectra.apstar import ApStar, Visit
from apogee_labels.cannon.continuum.normalization import Normalized, stacked_rows
from apogee_labels.cannon.io.normalized import Provenance, _keyword, _visits_of
from apogee_labels.cannon.io.normalized_file import FLUX_UNIT, GRID, IMAGES


def write_by_astropy(path: Path, normalized: Normalized, *, star: ApStar, provenance: Provenance) -> None:
    rows = len(normalized.flux)
    visits = _visits_of(star, stacked_rows(star) if rows == 1 else star.visit_rows)
    hdus: list[Any] = [fits.PrimaryHDU(header=_header(star, len(visits), rows, provenance))]
    hdus += [_image(name, array) for name, array in zip(IMAGES, normalized, strict=True)]
    hdus.append(_visit_table(visits, np.zeros(len(visits)) if rows == 1 else np.arange(rows)))
    product = fits.HDUList(hdus)
    product.update_extend()  # writeto() would add EXTEND after the sum of the header was taken
    for hdu in product:
        hdu.add_datasum(when="sum of the data")
        hdu.add_checksum(when="sum of the HDU", override_datasum=True)
    product.writeto(path, overwrite=True)


def _header(star: ApStar, visits: int, rows: int, provenance: Provenance) -> Header:
    header = Header()
    header["OBJID"] = (star.obj, "star")
    for key, number, comment in (
        ("SNR", star.snr, "signal-to-noise ratio per pixel"),
        ("RA", star.ra, "[deg] ICRS"),
        ("DEC", star.dec, "[deg] ICRS"),
    ):
        if math.isfinite(number):  # FITS has no NaN
            header[key] = (float(number), comment)
    header["STARFLAG"] = (int(star.starflag), "bits of apogee.spectra.masks.StarFlag")
    header["NVISITS"] = (visits, "visits in the rows")
    header["STACKED"] = (rows < visits, "the row is the visits' weighted mean")
    header["CONTENT"] = (star.digest, "")  # 64 characters leave no room for a comment
    header["NUMPYVER"], header["ASTROVER"] = np.__version__, importlib.metadata.version("astropy")
    for key, value in provenance.items():
        header[_keyword(key)] = value
    return header


def _image(name: str, array: Any) -> fits.ImageHDU:
    from astropy.io import fits

    header = Header(GRID)
    if name == "CONTINUUM":
        header["BUNIT"] = FLUX_UNIT
    return fits.ImageHDU(array.astype(np.float32), header, name=name)


def _visit_table(visits: list[Visit], rows: Any) -> fits.BinTableHDU:
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
