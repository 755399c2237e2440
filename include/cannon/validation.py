"""How many latent components a model is given: as many as make the labels of stars it has not seen better.

Stars are dealt to folds; the model of the others infers the labels of each fold.  The errors are those against the
training labels, whose own noise is the same for every number of components.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from include.cannon.inference import Engine, Options
from include.cannon.quadratic_forms import FormBuilder
from include.cannon.trainer import Fit, Trainer

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CANDIDATES = (4, 8)
"""Numbers of latent components that are tried, beside none."""

FOLDS = 3

STARS_PER_TERM = 10
"""Stars for each coefficient of a pixel that a fit with latent components must have, to be tried at all."""

LEAST_GAIN, LARGEST_LOSS = 0.05, 0.02
"""Share by which components must lower the labels' errors in the mean, and may raise the error of any one label."""


class Choice(NamedTuple):
    """The number of components, and why."""

    n_components: int
    ratios: dict[int, Floats]
    """For each number that was tried, the labels' errors over those without components, shape (L,)."""


def candidates(n_stars: int, n_terms: int) -> tuple[int, ...]:
    """Numbers of components, none included, for which the folds of so many stars are enough."""
    least = n_stars - -(-n_stars // FOLDS)
    return (0, *(count for count in CANDIDATES if least >= STARS_PER_TERM * (n_terms + count)))


def choose_components(trainer: Trainer, counts: tuple[int, ...]) -> Choice:
    """Choose the number of components by validation on folds.

    A number is taken when the mean over the labels of log(error / error without components) is the lowest, promises
    more than ``LEAST_GAIN``, and no label loses more than ``LARGEST_LOSS``; else there are none.  An error is the mean
    absolute one: a few stars that the model cannot describe do not decide.

    Parameters
    ----------
    trainer
        Trains on some of its stars.
    counts
        Numbers of components, 0 first.
    """
    errors = np.full((len(counts), *trainer.training_set.labels.shape), np.nan)
    fold = np.arange(len(trainer.training_set)) % FOLDS
    for number in range(FOLDS):
        held = fold == number
        for k, fit in enumerate(trainer.fits(counts, stars=~held)):
            errors[k, held] = _errors(trainer, fit, held)
    usable = np.isfinite(errors).all(axis=(0, 2))
    if not usable.any():
        return Choice(0, {})
    size = np.abs(errors[:, usable]).mean(axis=1)
    ratios = size / np.maximum(size[0], np.finfo(float).tiny)
    return Choice(_chosen(counts, ratios), dict(zip(counts[1:], ratios[1:], strict=True)))


def _chosen(counts: tuple[int, ...], ratios: Floats) -> int:
    gains = 1.0 - np.exp(np.log(np.maximum(ratios, np.finfo(float).tiny)).mean(axis=1))
    allowed = (ratios.max(axis=1) <= 1.0 + LARGEST_LOSS) & (gains > LEAST_GAIN)
    return counts[int(np.argmax(np.where(allowed, gains, 0.0)))]


def _errors(trainer: Trainer, fit: Fit, held: Bools) -> Floats:
    """Inferred less true labels of the stars held back, shape (n, L); NaN where a spectrum gives none."""
    training_set, labels = trainer.training_set, trainer.training_set.labels
    if not np.isfinite(fit.s2).any():
        return np.full(labels[held].shape, np.nan)
    builder = FormBuilder(training_set.wavelength, fit.theta, fit.s2, loadings=fit.loadings, marginalize=True)
    engine = Engine(trainer.vectorizer, labels[~held], builder)
    flux, ivar = training_set.flux[held], training_set.ivar[held]
    inferred = engine.infer(flux, ivar, np.zeros(len(flux), dtype=np.int64), Options())
    return np.asarray(inferred.labels - labels[held])
