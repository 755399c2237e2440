"""A small synthetic universe for the engine: known coefficients, known scatter, known labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Floats

NAMES = ("TEFF", "LOGG", "FE_H")
CENTRES, WIDTHS = np.array([4500.0, 2.2, -0.3]), np.array([400.0, 0.7, 0.3])


@dataclass(frozen=True, eq=False)
class Universe:
    """A true model and the spectra it makes."""

    model: CannonModel

    def labels(self, rng: np.random.Generator, count: int) -> Floats:
        """Labels of stars, correlated as those of giants are, shape (count, 3)."""
        mixing = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.3, -0.2, 0.93]])
        return CENTRES + WIDTHS * np.clip(rng.normal(size=(count, 3)) @ mixing.T, -2.2, 2.2)

    def spectra(self, rng: np.random.Generator, labels: Floats, *, snr: float = 150.0) -> tuple[Floats, Floats]:
        """Noisy spectra of these labels, with a few pixels masked."""
        true = self.model.predict(labels)
        sigma = np.exp(rng.normal(0.0, 0.3, true.shape)) / snr
        noise = rng.normal(size=true.shape) * np.sqrt(sigma**2 + self.model.s2)
        masked = rng.random(true.shape) < 0.02
        return np.where(masked, 7.0, true + noise), np.where(masked, 0.0, sigma**-2.0)

    def training_set(self, rng: np.random.Generator, count: int, *, snr: float = 150.0) -> TrainingSet:
        """Stars of known labels."""
        labels = self.labels(rng, count)
        flux, ivar = self.spectra(rng, labels, snr=snr)
        return TrainingSet(self.model.wavelength, flux, ivar, labels, NAMES)


def make_universe(*, n_pixels: int = 240, order: int = 2, scatter: float = 0.01, seed: int = 5) -> Universe:
    """Return lines of random strengths over all three detectors; their coefficients shrink with the degree."""
    rng = np.random.default_rng(seed)
    wavelength = np.exp(np.linspace(np.log(15110.0), np.log(16960.0), n_pixels))
    terms = monomials(3, order)
    size = np.array([0.05 / 4.0 ** max(len(factors) - 1, 0) for factors in terms.factors])
    theta = rng.normal(size=(n_pixels, len(terms))) * size * rng.random((n_pixels, 1)) ** 2
    theta[:, 0] = 1.0 - 0.3 * rng.random(n_pixels) ** 2
    vectorizer = PolynomialVectorizer(NAMES, order, CENTRES, 4.0 * WIDTHS)
    s2 = (scatter * np.exp(rng.normal(0.0, 0.3, n_pixels))) ** 2
    theta[:, 1:] *= 4.0
    return Universe(CannonModel(wavelength, vectorizer, theta, s2, make_box(rng)))


def make_box(rng: np.random.Generator) -> Floats:
    """Labels that span the universe, for the starts and the box of the true model."""
    return CENTRES + WIDTHS * rng.uniform(-2.2, 2.2, size=(200, 3))


class Varied:
    """Stars of a universe whose lines also follow `count` hidden variables."""

    def __init__(self, universe: Universe, *, count: int = 2, n_stars: int = 300, seed: int = 31) -> None:
        rng = np.random.default_rng(seed)
        self.truth = universe.labels(rng, n_stars)
        self.hidden = rng.normal(size=(n_stars, count))
        lines = universe.model.theta[:, 1:4] @ np.random.default_rng(77).normal(0, 0.2, (3, count))
        self.loadings = lines + np.random.default_rng(78).normal(0, 0.02, lines.shape)
        flux, self.ivar = universe.spectra(rng, self.truth)
        self.flux = flux + self.hidden @ self.loadings.T
        self.wavelength = universe.model.wavelength

    def training_set(self) -> TrainingSet:
        return TrainingSet(self.wavelength, self.flux, self.ivar, self.truth, NAMES)


def add_label_noise(stars: TrainingSet, *, seed: int = 51, share: float = 1.0) -> TrainingSet:
    """The stars with labels as a survey has them: wrong by 80 K, 0.15 and 0.06, or a share of that."""
    noise = share * np.random.default_rng(seed).normal(0.0, [80.0, 0.15, 0.06], stars.labels.shape)
    return replace(stars, labels=stars.labels + noise, digest="")
