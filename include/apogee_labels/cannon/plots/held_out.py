"""What a model's validation holds, as far as plots read it: labels of training stars by models that did not see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apogee_labels.core.arrays import Bools

if TYPE_CHECKING:
    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.cannon.validation.validation import Validation


class NothingToPlotError(ValueError):
    """The model, or the table, does not hold what the plot shows; the message says what to do."""


def validation_of(model: CannonModel) -> Validation:
    """Return the model's validation.

    Raises
    ------
    NothingToPlotError
        It has none.
    """
    if model.validation is None:
        raise NothingToPlotError("The model holds no results of stars it was not trained on: train with validation.")
    return model.validation


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
