"""Least squares with an L1 penalty and bounds on the coefficients, from normal matrices, to the optimum.

Minimises, for every pixel, ``theta' N theta - 2 m' theta + Lambda sum_{d >= 1} |theta_d|`` within lower <= theta <= upper,
as restricted models do (a line of an element does not turn to emission where there is more of it).  With few terms the
optimum without bounds is found for all pixels together, and those where it lies within the bounds are done.  The others
are worked on each alone, by a search that treats a bound as it does the kink of the penalty
(:mod:`apogee_labels.cannon.training.active_set`).
"""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.training.active_set import Penalty, objective, optimum
from apogee_labels.cannon.training.lasso import MANY_TERMS, lasso, strengths, unbounded
from apogee_labels.core.arrays import Floats


def bounded(
    normal: Floats, moment: Floats, regularization: float | Floats, lower: Floats, upper: Floats, start: Floats
) -> Floats:
    """Return the optimal coefficients within their bounds.

    Parameters
    ----------
    normal, moment
        N, shape (P, T, T), positive definite, and m, shape (P, T).
    regularization
        Lambda, one for all pixels or shape (P,), 0 or more.
    lower, upper
        Least and greatest value of each coefficient, shape (T,), in the units of theta; infinite where there is none.
        Equal ones fix a coefficient.
    start
        Where the search begins, shape (P, T).

    Returns
    -------
    ndarray
        Shape (P, T); what the penalty removes is exactly 0, and what a bound holds exactly the bound.

    Raises
    ------
    ValueError
        A lower bound is above the upper one or not a number, leaves no finite value, or there is not one for each term;
        or a Lambda is negative.
    ArithmeticError
        The optimum was not reached; normal matrices that are positive definite do not lead here.
    """
    strength = strengths(regularization, len(moment))
    check_bounds(lower, upper, moment.shape[1])
    theta = _without_bounds(normal, moment, strength, start)
    of_all = penalties(strength, lower, upper)
    for pixel in np.flatnonzero(~((theta >= lower) & (theta <= upper)).all(axis=1)):
        penalty = Penalty(*(part[pixel] for part in of_all))
        nearest = np.where(np.isnan(theta[pixel]), start[pixel], theta[pixel])
        theta[pixel] = _within_bounds(normal[pixel], moment[pixel], penalty, (nearest, start[pixel]))
    return theta


def check_bounds(lower: Floats, upper: Floats, n_terms: int) -> None:
    """Raise ValueError unless there are a lower and an upper bound for each term, with room between them."""
    if lower.shape != (n_terms,) or upper.shape != (n_terms,):
        raise ValueError(f"Bounds: expected {n_terms} of either kind, got shapes {lower.shape} and {upper.shape}.")
    wrong = np.flatnonzero(~((lower <= upper) & (lower < np.inf) & (upper > -np.inf)))
    if len(wrong):
        first = wrong[0]
        raise ValueError(
            f"Bounds: expected the lower not above the upper and a finite value between them; "
            f"term {first} has {lower[first]} and {upper[first]}."
        )


def penalties(strength: Floats, lower: Floats, upper: Floats) -> Penalty:
    """The penalty and the bounds of all pixels, each of shape (P, T)."""
    free = unbounded(strength, len(lower))
    return Penalty(free.strength, *(np.broadcast_to(bound, free.strength.shape) for bound in (lower, upper)))


def _without_bounds(normal: Floats, moment: Floats, strength: Floats, start: Floats) -> Floats:
    """The optimum without bounds; NaN where it is not worth its time, or rounding does not let it be found."""
    if moment.shape[1] >= MANY_TERMS:
        return np.full(moment.shape, np.nan)
    try:
        return lasso(normal, moment, strength, start)
    except (np.linalg.LinAlgError, ArithmeticError):
        return np.full(moment.shape, np.nan)


def _within_bounds(normal: Floats, moment: Floats, penalty: Penalty, starts: tuple[Floats, ...]) -> Floats:
    """The optimum of one pixel, from the best of some starts."""
    inside = [np.clip(start, penalty.lower, penalty.upper) for start in starts]
    best = min(inside, key=lambda theta: objective(normal, moment, penalty, theta))
    return optimum(normal, moment, penalty, best)
