"""Synthetic giants whose truth is known: four labels, lines that are quadratic in them, imperfect continua.

What differs from :mod:`benchmarks.data`, which only has to have the right size: lines have profiles over several pixels,
[alpha/Fe] follows [Fe/H] with a spread of its own, and normalisation leaves a slope and a bend on each detector.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH
from apogee_labels.cannon.continuum.normalization import detector_pixels
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Floats
from apogee_labels.simulation.spectra import draw_labels, on_chips

LABELS = ("TEFF", "LOGG", "FE_H", "ALPHA_FE")
UNITS = ("K", "dex", "dex", "dex")

SCATTER, CONTINUUM = 0.003, 0.004
"""Intrinsic scatter of a pixel, and standard deviation of the slope and the bend that normalisation leaves."""

_N_LINES, _WIDTH, _BAD, _SEED = 500, 1.5, 0.02, 20150000


def giants(count: int, *, seed: int, snr: tuple[float, float], labels: tuple[str, ...] = LABELS) -> TrainingSet:
    """Return spectra of `count` giants with their true labels.

    Parameters
    ----------
    count
        Number of stars.
    seed
        Another one gives other stars, of the same lines.
    snr
        Least and greatest signal-to-noise ratio per pixel.
    labels
        Which of the labels are told.
    """
    rng = np.random.default_rng([_SEED, seed])
    truth = _labels(rng, count)
    vectorizer, theta = _lines()
    flux = vectorizer.design(vectorizer.scaled(truth)) @ theta.T
    flux += rng.normal(0.0, SCATTER, flux.shape)
    flux *= 1.0 + _residual_continuum(rng, count)
    sigma = rng.uniform(0.8, 1.2, flux.shape) / rng.uniform(*snr, (count, 1))
    flux += rng.standard_normal(flux.shape) * sigma
    ivar = np.where((rng.random(flux.shape) < _BAD) | ~on_chips(), 0.0, sigma**-2.0)
    return TrainingSet(WAVELENGTH, flux, ivar, truth, LABELS).select(labels)


def _labels(rng: np.random.Generator, count: int) -> Floats:
    labels = draw_labels(rng, count)
    alpha = 0.1 - 0.25 * labels[:, 2] + rng.normal(0.0, 0.05, count)
    return np.column_stack([labels, alpha])


@lru_cache(maxsize=1)
def _lines() -> tuple[PolynomialVectorizer, Floats]:
    """Terms of the labels, and their true coefficients at every pixel, shape (P, T)."""
    rng = np.random.default_rng([_SEED, 0])
    vectorizer = PolynomialVectorizer.fit(LABELS, _labels(rng, 2000), order=2)
    centres = rng.choice(np.flatnonzero(on_chips()), _N_LINES)
    depth = 0.3 * rng.random(_N_LINES) ** 2
    size = np.array([0.25 / 6.0 ** max(len(factors) - 1, 0) for factors in vectorizer.basis.factors])
    slopes = rng.normal(size=(_N_LINES, vectorizer.n_terms)) * size
    slopes[:, 0] = 1.0
    profiles = np.exp(-0.5 * ((np.arange(N_PIXELS)[:, None] - centres) / _WIDTH) ** 2)
    theta = -profiles @ (depth[:, None] * slopes)
    theta[:, 0] += 1.0
    return vectorizer, theta


def _residual_continuum(rng: np.random.Generator, count: int) -> Floats:
    """What is left of the continuum, relative to it, shape (count, P): a slope and a bend on each detector."""
    result = np.zeros((count, N_PIXELS))
    for pixels in detector_pixels(WAVELENGTH):
        place = np.linspace(-1.0, 1.0, pixels.stop - pixels.start)
        slope, bend = rng.normal(0.0, CONTINUUM, (2, count, 1))
        result[:, pixels] = slope * place + bend * (place**2 - 1.0 / 3.0)
    return result
