"""What k-fold validation found about a model: labels of stars that it had not seen, and how wrong they are.

The stars of a fold get their labels from the model of all others.  What the errors of these have beyond the formal ones
is variation that no label explains, noise of the training labels, continuum
(:mod:`apogee_labels.cannon.noise.empirical_errors`).  It
is added to the errors of every star (``e_TEFF`` beside the formal ``raw_e_TEFF``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apogee_labels.core.arrays import Floats, Indices, Integers


@dataclass(frozen=True)
class Trial:
    """A setting of the engine that was tried, and its errors."""

    n_components: int
    corrected: bool
    ratio: tuple[float, ...]
    """Of each label: mean absolute error over that without components and without correction."""

    @property
    def gain(self) -> float:
        """Share by which the labels' errors fall in the geometric mean; negative when they rise."""
        return 1.0 - float(np.exp(np.mean(np.log(np.maximum(self.ratio, np.finfo(float).tiny)))))


@dataclass(frozen=True, eq=False)
class Validation:
    """Labels of the N training stars, each by a model that was trained without it.

    A star whose spectrum gives no labels has NaN.
    """

    fold: Indices
    """Which stars were left out together, shape (N,)."""
    truth: Floats
    """Training labels, shape (N, L)."""
    labels: Floats
    """Labels of the stars held back, shape (N, L), under the options that were chosen."""
    covariance: Floats
    """Formal covariance of these, shape (N, L, L)."""
    chi_sq: Floats
    """Shape (N,)."""
    n_freedom: Indices
    """Shape (N,)."""
    unexplained: Floats
    """Share of the lines that the model leaves unexplained, shape (N,)."""
    snr: Floats
    """Shape (N,)."""
    flags: Integers
    """Bits of :class:`apogee_labels.cannon.flags.ResultFlag`, shape (N,)."""
    beyond: Floats
    """Covariance of errors beyond the formal one, without and with the correction for the coefficients' noise, shape (2,
    L, L), in the labels' units."""
    corrected: bool
    """Whether that correction does not hurt, and is on unless told otherwise."""
    n_components: int
    """Number of latent components that was chosen."""
    trials: tuple[Trial, ...]
    """Every setting that was tried."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    @property
    def residuals(self) -> Floats:
        """Held-out less training labels, shape (N, L)."""
        return self.labels - self.truth

    @property
    def raw_errors(self) -> Floats:
        """Formal errors, shape (N, L)."""
        return np.asarray(np.sqrt(np.einsum("nll->nl", self.covariance)))

    @property
    def errors(self) -> Floats:
        """Errors with what the formal ones miss, shape (N, L)."""
        return np.asarray(np.sqrt(np.einsum("nll->nl", self.covariance + self.beyond[int(self.corrected)])))

    @property
    def reduced_chi_sq(self) -> Floats:
        """Shape (N,)."""
        empty = np.full(len(self), np.nan)
        return np.asarray(np.divide(self.chi_sq, self.n_freedom, out=empty, where=self.n_freedom > 0))

    @property
    def bias(self) -> Floats:
        """Mean of the residuals, shape (L,)."""
        return _mean(self.residuals)

    @property
    def rms(self) -> Floats:
        """Root mean square of the residuals, shape (L,)."""
        return np.sqrt(_mean(self.residuals**2))

    @property
    def pulls(self) -> Floats:
        """Root mean square of the residuals over the errors, shape (L,)."""
        return np.sqrt(_mean((self.residuals / self.errors) ** 2))

    def summary(self, label_names: Sequence[str]) -> dict[str, str | int | float | bool]:
        """What a header or a report says of it: numbers by name."""
        values: dict[str, str | int | float | bool] = {
            "validation_folds": self.n_folds,
            "validation_stars": int(np.isfinite(self.labels).all(axis=1).sum()),
            "correct_coefficient_noise": self.corrected,
        }
        for name, bias, rms, pull in zip(label_names, self.bias, self.rms, self.pulls, strict=True):
            values |= {f"bias_{name}": float(bias), f"rms_{name}": float(rms), f"pull_{name}": float(pull)}
        return values


def _mean(values: Floats) -> Floats:
    """Mean over the rows that are finite, shape (L,); NaN without any."""
    finite = values[np.isfinite(values).all(axis=1)]
    return np.asarray(finite.mean(axis=0)) if len(finite) else np.full(values.shape[1], np.nan)
