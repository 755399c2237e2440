"""From labels to the terms of the model: scaling, and all polynomial terms up to an order.

Ness et al. 2015: the flux of a pixel is linear in the terms v(labels).  Labels are scaled first, so that no term is
large for its unit alone: (label - median) / (97.5th - 2.5th percentile of the training labels).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from apogee_labels.cannon.monomials import Monomials, monomials
from apogee_labels.core.arrays import Floats, Indices

PERCENTILES = (2.5, 97.5)
"""The range of a training label that becomes 1."""


@dataclass(frozen=True, eq=False)
class PolynomialVectorizer:
    """Polynomial terms of scaled labels.

    Parameters
    ----------
    label_names
        Names of the L labels, in order.
    order
        Highest degree of a term, at least 1.
    offsets, scales
        Shape (L,), in the labels' units: what is subtracted, and then divided by.

    Raises
    ------
    ValueError
        The order is below 1, or the shapes do not agree.
    """

    label_names: tuple[str, ...]
    order: int
    offsets: Floats
    scales: Floats

    def __post_init__(self) -> None:
        if self.order < 1:
            raise ValueError(f"order: expected 1 or more, got {self.order}.")
        expected = (len(self.label_names),)
        if self.offsets.shape != expected or self.scales.shape != expected:
            raise ValueError(
                f"expected {expected[0]} offsets and scales, got {self.offsets.shape}, {self.scales.shape}."
            )

    @classmethod
    def fit(cls, label_names: tuple[str, ...], labels: Floats, order: int) -> PolynomialVectorizer:
        """Scale by the training labels, shape (N, L)."""
        low, high = np.percentile(labels, PERCENTILES, axis=0)
        return cls(label_names, order, np.median(labels, axis=0), high - low)

    @property
    def basis(self) -> Monomials:
        """The terms, as monomials of the scaled labels."""
        return monomials(len(self.label_names), self.order)

    @property
    def n_terms(self) -> int:
        """Number of terms T, the constant included."""
        return len(self.basis)

    @property
    def terms(self) -> tuple[str, ...]:
        """Name of each term, such as ``1``, ``TEFF`` or ``TEFF*LOGG``."""
        return tuple("*".join(self.label_names[k] for k in factors) or "1" for factors in self.basis.factors)

    def scaled(self, labels: Floats) -> Floats:
        """Labels (..., L) in units of the training set's range, about its median."""
        return (labels - self.offsets) / self.scales

    def unscaled(self, scaled: Floats) -> Floats:
        """Return the labels that :meth:`scaled` took, shape (..., L)."""
        return scaled * self.scales + self.offsets

    def design(self, scaled: Floats) -> Floats:
        """Terms of scaled labels: (..., L) becomes (..., T)."""
        return self.basis.evaluate(scaled)

    def jacobian(self, scaled: Floats) -> Floats:
        """Analytic derivatives of the terms by the scaled labels: (..., L) becomes (..., T, L)."""
        index, factor = self._derivatives
        return self.design(scaled)[..., index] * factor

    @cached_property
    def _derivatives(self) -> tuple[Indices, Floats]:
        return self.basis.derivatives()
