"""The optimum of one pixel's quadratic under an L1 penalty and bounds, for many terms.

Minimises ``theta' N theta - 2 m' theta + sum_d strength_d |theta_d|`` within lower <= theta <= upper.  Each coefficient
either moves freely between two walls (a bound, or the kink of its penalty at 0) or is held at one.  The free ones alone
are solved for, by Cholesky on their compact matrix: feature-sign search (Lee et al. 2007) with blocks.  Towards that
solution the search goes as far along the path projected on the walls as the objective falls, in the last resort to the
first wall on the way; what arrives at a wall is held there.  At the solution, those held coefficients are released
whose gradient pulls them off their wall most.  The objective falls with every step, so that it ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import get_lapack_funcs

from apogee_labels.core.arrays import Bools, Floats

TOLERANCE = 1e-9
"""Share of the penalty's strength by which a gradient may miss the conditions of the optimum, beyond rounding."""

_BLOCK = 0.1
"""Held coefficients are released together whose pull is above this share of the strongest."""

_LENGTHS = (1.0, 0.4, 0.16, 0.064, 0.0)
"""Lengths tried on the way to the solution; never less than to the first wall."""

_RIDGES = (0.0, 1e-14, 1e-12, 1e-10)
"""Shares of the largest diagonal element that are added where rounding has made a matrix singular."""

(_posv,) = get_lapack_funcs(("posv",))  # in double precision

_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
_LEEWAY = 100.0


class Penalty(NamedTuple):
    """What is added to the quadratic: ``strength |theta|`` within the bounds, infinity outside.  Shapes as theta's."""

    strength: Floats
    lower: Floats
    upper: Floats


def pull(gradient: Floats, penalty: Penalty, theta: Floats) -> Floats:
    """How steeply the objective falls when a coefficient rises (above 0) or drops (below 0); 0 at the optimum.

    Parameters
    ----------
    gradient
        2 (N theta - m), any shape.
    penalty, theta
        Of the same shape, or one that broadcasts to it.
    """
    strength = penalty.strength
    rise = -gradient - np.where(theta >= 0.0, strength, -strength)
    drop = gradient + np.where(theta > 0.0, strength, -strength)
    rise = np.where(theta < penalty.upper, np.maximum(rise, 0.0), 0.0)
    drop = np.where(theta > penalty.lower, np.maximum(drop, 0.0), 0.0)
    return np.asarray(rise - drop)


def optimum(normal: Floats, moment: Floats, penalty: Penalty, start: Floats) -> Floats:
    """Return the optimal coefficients of one pixel.

    Parameters
    ----------
    normal, moment
        N, shape (T, T), positive definite, and m, shape (T,).
    penalty
        Strengths of the L1 penalty and bounds, each of shape (T,).
    start
        Where the search begins, shape (T,), or with the constant term alone if the objective is lower there; what lies
        outside the bounds begins at them.

    Returns
    -------
    ndarray
        Shape (T,); what the penalty removes is exactly 0, and what a bound holds exactly the bound.

    Raises
    ------
    ArithmeticError
        The optimum was not reached; normal matrices that are positive definite do not lead here.
    """
    starts = (np.clip(guess, penalty.lower, penalty.upper) for guess in (start, _constant(normal, moment)))
    search = _Search(normal, moment, penalty, min(starts, key=lambda theta: objective(normal, moment, penalty, theta)))
    for _ in range(100 + 10 * len(moment)):
        if search.advance() and not search.release():
            return search.theta
    search.release()
    if not search.excess <= _LEEWAY:
        raise ArithmeticError(
            f"Coefficients of a pixel: expected to reach the conditions of the optimum, missed them by "
            f"{search.excess:.1e} times the tolerance. Check that its normal matrix is finite and positive definite."
        )
    return search.theta


def objective(normal: Floats, moment: Floats, penalty: Penalty, theta: Floats) -> float:
    """Value of what is minimised, within the bounds."""
    return float(theta @ (normal @ theta) - 2.0 * (moment @ theta) + penalty.strength @ np.abs(theta))


def _constant(normal: Floats, moment: Floats) -> Floats:
    """The best coefficients among those with the first alone."""
    theta = np.zeros(len(moment))
    theta[0] = moment[0] / normal[0, 0]
    return theta


class _Search:
    """Where the search stands."""

    def __init__(self, normal: Floats, moment: Floats, penalty: Penalty, start: Floats) -> None:
        self.normal, self.moment, self.penalty = normal, moment, penalty
        self.scale = np.sqrt(np.einsum("ii->i", normal))
        self.theta = start
        self.sign = np.where(self.theta < 0.0, -1.0, 1.0)
        self.set_walls()
        self.free: Bools = (self.theta > self.low) & (self.theta < self.high)
        self.gradient: Floats = normal @ self.theta - moment
        self.excess = np.inf

    def set_walls(self) -> None:
        """The walls that each coefficient's sign puts around it."""
        kink = self.penalty.strength > 0.0
        self.low = np.where(kink & (self.sign > 0.0), np.maximum(self.penalty.lower, 0.0), self.penalty.lower)
        self.high = np.where(kink & (self.sign < 0.0), np.minimum(self.penalty.upper, 0.0), self.penalty.upper)

    def advance(self) -> bool:
        """Go towards the solution for the free coefficients; returns whether it was reached."""
        terms = np.flatnonzero(self.free)
        if not len(terms):
            return True
        rows = self.normal[terms]
        matrix, old = rows[:, terms], self.theta[terms]
        downhill = -(self.gradient + 0.5 * self.penalty.strength * self.sign)[terms]
        step = solve_positive(matrix, downhill)
        wall = np.where(step < 0.0, self.low[terms], self.high[terms])
        crossing = np.where(step < 0.0, old + step < wall, old + step > wall)
        reach = np.divide(wall - old, step, out=np.full(len(terms), np.inf), where=crossing)
        reach[crossing] = np.minimum(reach[crossing], 1.0)
        for length in np.maximum(_LENGTHS, reach.min(initial=1.0)):
            hit = reach <= length
            new = np.where(hit, wall, old + length * step)
            change = new - old
            if change @ (matrix @ change - 2.0 * downhill) < 0.0:
                break
        self.theta[terms] = new
        self.gradient += change @ rows
        self.free[terms[hit]] = False
        return not crossing.any()

    def release(self) -> bool:
        """Free the coefficients that are pulled off their walls; returns whether the search must go on."""
        self.gradient = self.normal @ self.theta - self.moment
        pulls = pull(2.0 * self.gradient, self.penalty, self.theta)
        excess = np.abs(pulls) / self.tolerance()
        self.excess = float(excess.max())
        if self.excess <= 1.0:
            return False
        released = ~self.free & (excess > 1.0) & (np.abs(pulls) >= _BLOCK * np.abs(pulls).max())
        self.sign = np.where(released & (self.theta == 0.0), np.sign(pulls), self.sign)
        self.free |= released
        self.set_walls()
        return True

    def tolerance(self) -> Floats:
        """What may be missing from the conditions: a share of the penalty, and the rounding of the gradient."""
        floor = np.maximum(rounding(self.scale, self.moment, self.theta), np.finfo(np.float64).tiny)
        return np.asarray(TOLERANCE * self.penalty.strength.max() + floor)


def rounding(scale: Floats, moment: Floats, theta: Floats) -> Floats:
    """How far rounding alone may move the gradient, shape (..., T).

    Parameters
    ----------
    scale
        Square roots of N's diagonal, shape (..., T): no element of N is larger than the product of two of them.
    moment, theta
        m and the coefficients, shape (..., T).
    """
    reach = (scale * np.abs(theta)).sum(axis=-1, keepdims=True)
    return np.asarray(_ROUNDING * (scale * reach + np.abs(moment)))


def solve_positive(matrix: Floats, right: Floats) -> Floats:
    """Solve one positive definite system; where rounding has made it singular, with the least ridge that mends it."""
    for ridge in _RIDGES:
        mended = matrix + ridge * np.diag(matrix).max() * np.eye(len(matrix)) if ridge else matrix
        _, solution, failed = _posv(mended.T, right, lower=1)
        if not failed:
            return np.asarray(solution, dtype=np.float64)
    raise ArithmeticError("Coefficients of a pixel: expected a positive definite normal matrix, got one that is not.")
