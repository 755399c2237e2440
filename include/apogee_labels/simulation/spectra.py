"""Invented spectra of red giants that behave like real ones where it matters here.

Some hundreds of absorption lines at seeded wavelengths, none near the shipped continuum regions, each with an optical
depth that follows the curve of growth: it grows with the abundance, falls or rises with temperature by its excitation
and with gravity, and saturates.  A Gaussian line-spread function of R = 22,500 smears them.  No line is a real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from apogee_labels.apogee.spectra.grid import LOG_STEP, N_PIXELS, WAVELENGTH
from apogee_labels.cannon.continuum.normalization import continuum_pixels, read_regions
from apogee_labels.core.arrays import Bools, Floats
from apogee_labels.core.settings import SHIPPED_REGIONS

CHIPS = ((15145.0, 15808.0), (15858.0, 16433.0), (16474.0, 16955.0))
"""Wavelength ranges in which the synthetic detectors see light, Angstrom."""

LABEL_NAMES = ("TEFF", "LOGG", "FE_H")
"""Labels of a synthetic star: K, dex (cm/s^2), dex."""

RESOLUTION = 22_500.0

_FINE = 4  # samples a pixel in which the lines are saturated before they are smeared
_LSF_PIXELS = 1.0 / (RESOLUTION * LOG_STEP * np.log(10) * 2.3548)  # standard deviation
_LSF_REACH = 22  # samples: four standard deviations
_LINE_PIXELS = 0.45  # standard deviation of a line before the spectrograph: thermal and turbulent motion
_CLEARANCE = 8  # pixels between a line's centre and the nearest continuum pixel
_REFERENCE = np.array([4500.0, 2.3, -0.1])


class Lines(NamedTuple):
    """Absorption lines, each attribute of shape (K,)."""

    pixel: Floats
    """Position on the apStar grid, pixels."""
    strength: Floats
    """log10 of the optical depth at the centre, for a star of 4500 K, log g 2.3, [Fe/H] -0.1."""
    excitation: Floats
    """Effective excitation, eV: slope of that logarithm with -5040 K / TEFF."""
    gravity: Floats
    """Slope with log g."""
    abundance: Floats
    """Slope with [Fe/H]."""


@lru_cache(maxsize=4)
def line_list(count: int = 500, seed: int = 0) -> Lines:
    """Return `count` lines; the same for the same seed and continuum regions."""
    rng = np.random.default_rng([seed, 1])
    continuum = continuum_pixels(WAVELENGTH, read_regions(SHIPPED_REGIONS))
    near = np.convolve(continuum, np.ones(2 * _CLEARANCE + 1), mode="same") > 0.5
    free = np.flatnonzero(on_chips() & ~near)
    return Lines(
        pixel=np.sort(rng.choice(free, count) + rng.uniform(-0.5, 0.5, count)),
        strength=rng.uniform(-1.2, 0.5, count),
        excitation=rng.normal(-0.3, 0.6, count),
        gravity=rng.normal(0.0, 0.12, count),
        abundance=rng.uniform(0.3, 0.6, count),
    )


def on_chips() -> Bools:
    """Return which pixels of the grid a detector sees, shape (8575,)."""
    return continuum_pixels(WAVELENGTH, np.array(CHIPS))


def draw_labels(rng: np.random.Generator, count: int) -> Floats:
    """Draw labels along a red-giant branch, shape (count, 3): TEFF, LOGG, FE_H."""
    logg = rng.uniform(0.9, 3.4, count)
    fe_h = np.clip(rng.normal(-0.1, 0.22, count), -0.7, 0.4)
    teff = 3870.0 + 380.0 * (logg - 0.9) - 240.0 * fe_h + rng.normal(0.0, 80.0, count)
    return np.stack([teff, logg, fe_h], axis=1)


def synthetic_flux(labels: Floats, lines: Lines | None = None) -> Floats:
    """Return the flux relative to the continuum of stars with `labels` (N, 3), shape (N, 8575).

    Curve of growth: flux = exp(-sum of optical depths), smeared afterwards, so that strong lines saturate.
    """
    lines = line_list() if lines is None else lines
    strengths = 10.0 ** _log_depth(np.atleast_2d(labels), lines)
    depth = np.zeros((len(strengths), _FINE * N_PIXELS))
    for strength, (samples, profile) in zip(strengths.T, _profiles(lines), strict=True):
        depth[:, samples] += strength[:, None] * profile
    kernel = _gaussian(np.arange(-_LSF_REACH, _LSF_REACH + 1) / _FINE, _LSF_PIXELS)
    lost = [np.convolve(row, kernel / kernel.sum(), mode="same") for row in -np.expm1(-depth)]
    return 1.0 - np.array(lost)[:, _FINE // 2 :: _FINE]


def _log_depth(labels: Floats, lines: Lines) -> Floats:
    """log10 of the optical depth of each line in each star, shape (N, K)."""
    teff, logg, fe_h = labels.T[:, :, None]
    return np.asarray(
        lines.strength
        - lines.excitation * (5040.0 / teff - 5040.0 / _REFERENCE[0])
        + lines.gravity * (logg - _REFERENCE[1])
        + lines.abundance * (fe_h - _REFERENCE[2])
    )


def _profiles(lines: Lines) -> Iterator[tuple[slice, Floats]]:
    """Samples of each line and its profile of unit depth there; sample k of the fine grid is at pixel (k - 2) / 4."""
    reach = int(np.ceil(6 * _LINE_PIXELS * _FINE))
    for pixel in lines.pixel:
        centre = round(pixel * _FINE) + _FINE // 2
        samples = np.arange(centre - reach, centre + reach + 1)
        yield slice(centre - reach, centre + reach + 1), _gaussian((samples - _FINE // 2) / _FINE - pixel, _LINE_PIXELS)


def _gaussian(offset: Floats, width: float) -> Floats:
    return np.asarray(np.exp(-0.5 * (offset / width) ** 2), dtype=np.float64)
