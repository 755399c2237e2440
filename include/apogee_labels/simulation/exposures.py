"""One visit to a synthetic star: continuum and response, sky, bad pixels, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH
from apogee_labels.apogee.spectra.masks import PixelMask
from apogee_labels.core.arrays import Bools, Floats, Integers
from apogee_labels.simulation.spectra import CHIPS, on_chips, synthetic_flux

SKY_LINES = 130
_SKY_REACH = 7  # pixels by which the Earth's motion shifts the sky in the star's frame
_SKY_NOISE = 10.0  # by which a sky line's residual exceeds the noise elsewhere
_COSMIC_RAYS = 0.003  # share of the pixels
_DEFECTS = 12  # pixels of a detector that never work


@dataclass(frozen=True, eq=False)
class SyntheticStar:
    """A star of the synthetic sky, with its true labels."""

    index: int
    obj: str
    telescope: str
    field: str
    healpix: int
    ra: float
    """Degrees."""
    dec: float
    """Degrees."""
    h_mag: float
    labels: Floats
    """TEFF, LOGG, FE_H, shape (3,)."""
    debut: int
    """SDSS MJD of the first visit."""


class Exposure(NamedTuple):
    """One visit as the reduction leaves it, on the apStar grid."""

    mjd: int
    fiber: int
    snr: float
    """Median signal-to-noise ratio per pixel."""
    flux: Floats
    """1e-17 erg/s/cm^2/A, shape (8575,)."""
    error: Floats
    """The same unit; 10 times larger on sky lines, as the reduction does."""
    mask: Integers
    """Bits of :class:`apogee_labels.apogee.spectra.masks.PixelMask`."""


def expose(
    star: SyntheticStar, mjd: int, seed: int, *, snr: float | None = None, flux: Floats | None = None
) -> Exposure:
    """Return the visit to `star` on a night: always the same one for the same seed.

    Parameters
    ----------
    star
        What is observed.
    mjd
        SDSS MJD of the night.
    seed
        Of the survey.
    snr
        Signal-to-noise ratio per pixel; default: from the star's brightness and the night's seeing.
    flux
        The star's spectrum relative to its continuum, when it is known already.
    """
    rng = np.random.default_rng([seed, star.index, mjd])
    snr = snr or 100.0 * 10.0 ** (-0.2 * (star.h_mag - 11.0)) * float(rng.uniform(0.7, 1.2))
    continuum = _continuum(star, rng)
    error = continuum / snr * (1.0 + 0.15 * np.abs(WAVELENGTH - 16_000.0) / 1000.0)
    light = continuum * (synthetic_flux(star.labels)[0] if flux is None else flux)
    mask = _mask(star.telescope, rng)
    hit = _has(mask, PixelMask.CRPIX)
    light = light + np.where(hit, continuum * rng.exponential(1.5, N_PIXELS), 0.0)
    error = np.where(_has(mask, PixelMask.SIG_SKYLINE), _SKY_NOISE * error, error)
    light = light + error * rng.normal(size=N_PIXELS)
    return Exposure(mjd, 1 + (star.index * 37 + mjd) % 300, round(snr, 4), light, error, mask)


def _continuum(star: SyntheticStar, rng: np.random.Generator) -> Floats:
    """Flux without lines: brightness, colour, and the response of each detector, which differs from visit to visit."""
    slope = 3.2 - (star.labels[0] - 4500.0) / 2500.0 + rng.normal(0.0, 0.05)
    continuum = 850.0 * 10.0 ** (-0.4 * (star.h_mag - 11.0)) * (16_000.0 / WAVELENGTH) ** slope
    for low, high in CHIPS:
        pixels = slice(*np.searchsorted(WAVELENGTH, (low, high)))
        place = 2.0 * (WAVELENGTH[pixels] - low) / (high - low) - 1.0
        tilt, bend = rng.normal(0.0, 0.03, 2)
        continuum[pixels] *= 1.0 + tilt * place + bend * (place**2 - 0.5)
    return np.asarray(continuum)


def _mask(telescope: str, rng: np.random.Generator) -> Integers:
    """Mask of one visit: sky lines and defects stay on the detector, so in the star's frame they move by night."""
    instrument = np.random.default_rng(list(telescope.encode()))
    shift = int(rng.integers(-_SKY_REACH, _SKY_REACH + 1))
    mask = np.where(on_chips(), 0, int(PixelMask.BADPIX)).astype(np.int64)
    sky = np.repeat(instrument.integers(_SKY_REACH, N_PIXELS - _SKY_REACH - 1, SKY_LINES), 2)
    sky[1::2] += 1  # an airglow line covers two pixels
    defects = instrument.integers(_SKY_REACH, N_PIXELS - _SKY_REACH, 3 * _DEFECTS)
    mask[sky + shift] |= int(PixelMask.SIG_SKYLINE)
    mask[defects + shift] |= int(PixelMask.BADFLAT)
    mask[rng.random(N_PIXELS) < _COSMIC_RAYS] |= int(PixelMask.CRPIX)
    return mask


def _has(mask: Integers, bit: PixelMask) -> Bools:
    return np.asarray((mask & int(bit)) != 0)
