"""Training on a set or a part of it, with or without latent components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.cannon.noise.latent import Residuals, latent_scores, residuals
from apogee_labels.cannon.training.coefficients import train_pixels
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Bools, Floats, Indices
from apogee_labels.core.progress import ProgressCallback


class Fit(NamedTuple):
    """The numbers of a :class:`apogee_labels.cannon.model.CannonModel`."""

    theta: Floats
    """Shape (P, T)."""
    loadings: Floats
    """Shape (P, K)."""
    s2: Floats
    """Shape (P,)."""
    noise: CoefficientNoise | None
    """Of theta; None with a penalty or bounds, for it is known for plain least squares."""


@dataclass(frozen=True, eq=False)
class Trainer:
    """What is trained, and how; :meth:`apogee_labels.cannon.model.CannonModel.train` explains the parameters.

    ``s2`` (P,) is a given scatter, ``allowed`` (P, T) and ``bounds`` (T, 2) are those of the terms.
    """

    training_set: TrainingSet
    vectorizer: PolynomialVectorizer
    regularization: float | Floats = 0.0
    rule: ScatterRule = ScatterRule.RESTRICTED
    s2: Floats | None = None
    allowed: Bools | None = None
    bounds: Floats | None = None
    keep_noise: bool = True

    @property
    def keeps_noise(self) -> bool:
        """Whether the noise of the coefficients is kept: its few modes serve pixels that all have the same terms."""
        return self.keep_noise and self.allowed is None

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
        progress: ProgressCallback | None = None,
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
            noise=self.keeps_noise,
        )
        return self._fit(found.theta, found.s2, found.noise)

    def fits_without(self, fold: Indices, whole: Fit) -> Iterator[Fit]:
        """Train without each fold's stars, without latent components, at the scatter of the fit to all stars."""
        from apogee_labels.cannon.validation.fold_fits import fold_fits

        found = fold_fits(
            self.vectorizer.scaled(self.training_set.labels),
            self.training_set.flux,
            self.training_set.ivar,
            fold,
            order=self.vectorizer.order,
            s2=whole.s2,
            regularization=self.regularization,
            allowed=self.allowed,
            bounds=self.bounds,
            noise=whole.noise,
        )
        for number, theta in enumerate(found.theta):
            yield self._fit(theta, found.s2[number], None if found.noise is None else found.noise[number])

    def residuals(self, fit: Fit) -> Residuals:
        """What the residuals of a fit to all stars have in common."""
        return residuals(self.design(), fit.theta, fit.s2, self.training_set.flux, self.training_set.ivar)

    def scores(self, common: Residuals, count: int, stars: Bools | None = None) -> Floats:
        """Latent variables of the stars that are chosen, shape (n, K)."""
        return latent_scores(common, self.design(stars), count=count, stars=stars)

    def _fit(self, theta: Floats, s2: Floats, noise: CoefficientNoise | None) -> Fit:
        n_terms = self.vectorizer.n_terms
        return Fit(theta[:, :n_terms], theta[:, n_terms:], s2, noise)
