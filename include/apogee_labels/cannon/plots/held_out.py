"""What a model's validation holds, as far as plots read it: labels of training stars by models that did not see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from apogee_labels.core.arrays import Bools, Floats

if TYPE_CHECKING:
    from apogee_labels.cannon.model import CannonModel


class NothingToPlotError(ValueError):
    """The model, or the table, does not hold what the plot shows; the message says what to do."""


class Validation(Protocol):
    """Results of N held-out stars, in the order of the model's training labels; a star without a fit is NaN."""

    @property
    def labels(self) -> Floats:
        """Shape (N, L)."""

    @property
    def raw_errors(self) -> Floats:
        """Formal errors, shape (N, L)."""

    @property
    def errors(self) -> Floats:
        """Errors with their empirical part, shape (N, L)."""

    @property
    def reduced_chi_sq(self) -> Floats:
        """Shape (N,)."""

    @property
    def n_freedom(self) -> NDArray[np.integer] | Floats:
        """Degrees of freedom of each chi-square, shape (N,)."""

    @property
    def snr(self) -> Floats:
        """Shape (N,)."""


def validation_of(model: CannonModel) -> Validation:
    """Return the model's validation.

    Raises
    ------
    NothingToPlotError
        It has none.
    """
    found: Validation | None = getattr(model, "validation", None)
    if found is None:
        raise NothingToPlotError("The model holds no results of stars it was not trained on: train with validation.")
    return found


def some(good: Bools) -> Bools:
    """Return which stars can be plotted, shape (N,).

    Raises
    ------
    NothingToPlotError
        There is none.
    """
    if not good.any():
        raise NothingToPlotError(
            f"None of the {len(good)} held-out stars has a result: train with validation on more stars."
        )
    return good
