"""Training on a set or a part of it, with or without latent components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from include.cannon.coefficient_noise import CoefficientNoise
from include.cannon.latent import Residuals, latent_scores, residuals
from include.cannon.scatter import ScatterRule
from include.cannon.training import Progress, train_pixels
from include.cannon.training_set import TrainingSet
from include.cannon.vectorizer import PolynomialVectorizer

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]

MOST_TERMS = 64
"""Terms up to which the noise of the coefficients is kept: the covariances of more would need gigabytes."""


class Fit(NamedTuple):
    """The numbers of a :class:`include.cannon.model.CannonModel`."""

    theta: Floats
    """Shape (P, T)."""
    loadings: Floats
    """Shape (P, K)."""
    s2: Floats
    """Shape (P,)."""
    noise: CoefficientNoise | None
    """Of theta; None where it is not kept."""


@dataclass(frozen=True, eq=False)
class Trainer:
    """What is trained, and how; :meth:`include.cannon.model.CannonModel.train` explains the parameters.

    ``s2`` (P,) is a given scatter, ``allowed`` (P, T) and ``bounds`` (T, 2) are those of the terms.
    """

    training_set: TrainingSet
    vectorizer: PolynomialVectorizer
    regularization: float | Floats = 0.0
    rule: ScatterRule = ScatterRule.RESTRICTED
    s2: Floats | None = None
    allowed: Bools | None = None
    bounds: Floats | None = None

    @property
    def keeps_noise(self) -> bool:
        """Whether fits have the noise of their coefficients: known for plain least squares of not too many terms."""
        penalised = bool(np.any(np.asarray(self.regularization) > 0.0))
        return self.vectorizer.n_terms <= MOST_TERMS and self.bounds is None and not penalised

    def design(self, stars: Bools | None = None) -> Floats:
        """Terms of the stars, shape (n, T)."""
        labels = self.training_set.labels
        return self.vectorizer.design(self.vectorizer.scaled(labels if stars is None else labels[stars]))

    def fit(
        self,
        *,
        scores: Floats | None = None,
        stars: Bools | None = None,
        s2: Floats | None = None,
        progress: Progress | None = None,
    ) -> Fit:
        """Train once.

        Parameters
        ----------
        scores
            Latent variables of the stars that are trained on, shape (n, K).
        stars
            Which stars to train on, shape (N,); default: all.
        s2
            Intrinsic variance, shape (P,), not to be estimated; default: that of the trainer, if it has one.
        progress
            Called with the number of pixels done and their total.
        """
        chosen = slice(None) if stars is None else stars
        found = train_pixels(
            self.vectorizer.scaled(self.training_set.labels[chosen]),
            self.training_set.flux[chosen],
            self.training_set.ivar[chosen],
            order=self.vectorizer.order,
            regularization=self.regularization,
            rule=self.rule,
            progress=progress,
            scores=scores,
            s2=self.s2 if s2 is None else s2,
            allowed=self.allowed,
            bounds=self.bounds,
            covariance=self.keeps_noise,
        )
        return self._fit(found.theta, found.s2, found.covariance)

    def fits_without(self, fold: Indices, s2: Floats) -> Iterator[Fit]:
        """Train without each fold's stars, at a given scatter, without latent components."""
        from include.cannon.fold_fits import fold_fits

        found = fold_fits(
            self.vectorizer.scaled(self.training_set.labels),
            self.training_set.flux,
            self.training_set.ivar,
            fold,
            order=self.vectorizer.order,
            s2=s2,
            regularization=self.regularization,
            allowed=self.allowed,
            bounds=self.bounds,
            covariance=self.keeps_noise,
        )
        for number, theta in enumerate(found.theta):
            covariance = None if found.covariance is None else found.covariance[number]
            yield self._fit(theta, found.s2[number], covariance)

    def residuals(self, fit: Fit) -> Residuals:
        """What the residuals of a fit to all stars have in common."""
        return residuals(self.design(), fit.theta, fit.s2, self.training_set.flux, self.training_set.ivar)

    def scores(self, common: Residuals, count: int, stars: Bools | None = None) -> Floats:
        """Latent variables of the stars that are chosen, shape (n, K)."""
        return latent_scores(common, self.design(stars), count=count, stars=stars)

    def _fit(self, theta: Floats, s2: Floats, covariance: NDArray[np.floating] | None) -> Fit:
        n_terms = self.vectorizer.n_terms
        noise = None if covariance is None else CoefficientNoise.compress(covariance, n_terms)
        return Fit(theta[:, :n_terms], theta[:, n_terms:], s2, noise)
