"""The data of the benchmarks: synthetic by default, of the size of the published training set, from a fixed seed.

Spectra are quadratic in the labels plus noise and scatter, which is what the engine assumes: its speed depends on the
sizes and on the share of bad pixels, not on where the lines are.  Every one of the 8575 pixels can be trained (a real
set knows nothing in the gaps between the detectors, which saves an eighth of the work).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Floats
from apogee_labels.simulation.spectra import LABEL_NAMES, draw_labels

N_STARS, N_SPECTRA = 1624, 1000
"""Stars of the published training set, and spectra whose labels are inferred."""

ELEMENTS = ("C", "N", "O", "NA", "MG", "AL", "SI", "S", "K", "CA", "TI", "V", "MN", "NI")
"""Fourteen abundances over iron that make seventeen labels of three, as in Casey et al. 2016."""

_SEED = 20160304
_BAD = 0.02  # share of bad pixels
_SCATTER = 0.005


@dataclass(frozen=True, eq=False)
class Sample:
    """A training set, spectra of other stars (or of the same, where there are no others), and what both are."""

    training_set: TrainingSet
    flux: Floats
    """Normalised, shape (M, P)."""
    ivar: Floats
    """Shape (M, P)."""
    description: str

    @property
    def n_labels(self) -> int:
        """Number of labels of the training set."""
        return len(self.training_set.label_names)


def synthetic(n_labels: int, *, n_stars: int = N_STARS, n_spectra: int = N_SPECTRA, n_pixels: int = N_PIXELS) -> Sample:
    """Make a sample of giants with 3 to 17 labels, on the first pixels of the apStar grid.

    Training spectra have a signal-to-noise ratio of about 200 per pixel, the others of about 100.
    """
    rng = np.random.default_rng([_SEED, n_labels])
    names = (*LABEL_NAMES, *(f"{element}_FE" for element in ELEMENTS))[:n_labels]
    labels = _labels(rng, n_stars + n_spectra, n_labels)
    vectorizer = PolynomialVectorizer.fit(names, labels, order=2)
    theta = _coefficients(rng, n_pixels, vectorizer)
    design = vectorizer.design(vectorizer.scaled(labels))
    flux, ivar = _observed(rng, design[:n_stars] @ theta.T, snr=200.0)
    training_set = TrainingSet(WAVELENGTH[:n_pixels], flux, ivar, labels[:n_stars], names)
    flux, ivar = _observed(rng, design[n_stars:] @ theta.T, snr=100.0)
    text = f"synthetic (seed {_SEED}), {n_stars} stars x {n_pixels} pixels, {100 * _BAD:.0f}% of the pixels bad"
    return Sample(training_set, flux, ivar, text)


def from_file(path: Path, n_labels: int) -> Sample | None:
    """Take a training set from a file, with its first labels; None when it has fewer.

    The spectra whose labels are inferred are its own.

    Raises
    ------
    BadInputError
        The file is no training set.
    OSError
        It cannot be read.
    """
    whole = TrainingSet.read(path)
    if len(whole.label_names) < n_labels:
        return None
    chosen = whole.select(whole.label_names[:n_labels])
    rows = np.arange(N_SPECTRA) % len(chosen)
    text = f"{path.name}, {len(chosen)} stars x {len(chosen.wavelength)} pixels; labels are inferred for its own stars"
    return Sample(chosen, chosen.flux[rows], chosen.ivar[rows], text)


def raw_spectra(count: int = N_SPECTRA) -> tuple[Floats, Floats]:
    """Make flux and inverse variance before normalisation, shape (count, 8575): sloping, noisy, each with its own mask."""
    rng = np.random.default_rng([_SEED, 0])
    place = np.linspace(-1.0, 1.0, N_PIXELS)
    slope, bend = rng.normal(0.0, 0.2, (2, count, 1))
    continuum = 800.0 * (1.0 + slope * place + bend * (place**2 - 0.5))
    flux, ivar = _observed(rng, np.ones((count, N_PIXELS)), snr=100.0)
    return flux * continuum, ivar / continuum**2


def _labels(rng: np.random.Generator, count: int, n_labels: int) -> Floats:
    abundances = rng.normal(0.0, 0.1, (count, len(ELEMENTS)))
    return np.hstack([draw_labels(rng, count), abundances])[:, :n_labels]


def _coefficients(rng: np.random.Generator, n_pixels: int, vectorizer: PolynomialVectorizer) -> Floats:
    """Return coefficients (P, T) of lines of all strengths; a pixel knows three labels of all and few abundances."""
    strength = rng.random((n_pixels, 1)) ** 2
    knows = rng.random((n_pixels, len(vectorizer.label_names))) < 0.15
    knows[:, :3] = True
    theta = np.empty((n_pixels, vectorizer.n_terms))
    for position, factors in enumerate(vectorizer.basis.factors):
        size = 0.1 / 5.0 ** max(len(factors) - 1, 0)
        theta[:, position] = rng.normal(0.0, size, n_pixels) * knows[:, list(factors)].all(axis=1)
    theta *= strength
    theta[:, 0] = 1.0 - 0.3 * strength[:, 0]
    return theta


def _observed(rng: np.random.Generator, clean: Floats, *, snr: float) -> tuple[Floats, Floats]:
    """Add noise and scatter in place; return flux and inverse variance, which is 0 at bad pixels."""
    sigma = rng.uniform(0.7, 1.3, clean.shape) / snr
    clean += rng.standard_normal(clean.shape) * np.sqrt(sigma**2 + _SCATTER**2)
    ivar = sigma**-2.0
    ivar[rng.random(clean.shape) < _BAD] = 0.0
    return clean, ivar
