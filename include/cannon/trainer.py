"""Training on a set or a part of it, with any number of latent components."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from include.cannon.latent import latent_scores
from include.cannon.scatter import ScatterRule
from include.cannon.training import Coefficients, Progress, train_pixels
from include.cannon.training_set import TrainingSet
from include.cannon.vectorizer import PolynomialVectorizer

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Fit(NamedTuple):
    """The numbers of a :class:`include.cannon.model.CannonModel`."""

    theta: Floats
    """Shape (P, T)."""
    loadings: Floats
    """Shape (P, K)."""
    s2: Floats
    """Shape (P,)."""


@dataclass(frozen=True, eq=False)
class Trainer:
    """What is trained, and how; :meth:`include.cannon.model.CannonModel.train` explains the parameters."""

    training_set: TrainingSet
    vectorizer: PolynomialVectorizer
    regularization: float
    rule: ScatterRule

    def fits(
        self, counts: Sequence[int], *, stars: Bools | None = None, progress: Progress | None = None
    ) -> Iterator[Fit]:
        """Train once for each number of latent components, in order.

        Parameters
        ----------
        counts
            Numbers of components; one fit without them is made first in any case, for the residuals.
        stars
            Which stars to train on, shape (N,); default: all.
        progress
            Called with the number of pixels done and their total, anew for every fit.
        """
        chosen = slice(None) if stars is None else stars
        flux, ivar = self.training_set.flux[chosen], self.training_set.ivar[chosen]
        scaled = self.vectorizer.scaled(self.training_set.labels[chosen])
        plain = self._train(scaled, flux, ivar, progress, None)
        design, scores = self.vectorizer.design(scaled), None
        if any(counts) and np.isfinite(plain.s2).any():
            scores = latent_scores(design, plain.theta, plain.s2, flux, ivar, count=max(counts))
        for count in counts:
            found = plain
            if scores is not None and count:
                found = self._train(scaled, flux, ivar, progress, scores[:, :count])
            terms = self.vectorizer.n_terms
            yield Fit(found.theta[:, :terms], found.theta[:, terms:], found.s2)

    def _train(
        self, scaled: Floats, flux: Floats, ivar: Floats, progress: Progress | None, scores: Floats | None
    ) -> Coefficients:
        return train_pixels(
            scaled,
            flux,
            ivar,
            order=self.vectorizer.order,
            regularization=self.regularization,
            rule=self.rule,
            progress=progress,
            scores=scores,
        )
