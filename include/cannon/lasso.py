"""Least squares with an L1 penalty, from normal matrices, for many pixels at once, to the optimum.

Minimises, for every pixel, theta' N theta - 2 m' theta + Lambda sum_{d >= 1} |theta_d| (the constant term is free).  A
few sweeps of coordinate descent find most signs; feature-sign search (Lee et al. 2007), batched over pixels, then ends
at the exact optimum: it solves for the coefficients of the present signs, goes there as far as no sign changes, drops
what became zero, and takes up the zero whose gradient is largest beyond Lambda.  The objective falls with every step,
so that it ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SWEEPS = 8
"""Sweeps of coordinate descent that find most signs from any start."""

TOLERANCE = 1e-9
"""Share of Lambda by which the gradient of a zero coefficient may exceed it."""


def lasso(normal: Floats, moment: Floats, regularization: float, start: Floats, *, sweeps: int = SWEEPS) -> Floats:
    """Return the optimal coefficients.

    Parameters
    ----------
    normal, moment
        N, shape (P, T, T), positive definite, and m, shape (P, T).
    regularization
        Lambda, above 0.
    start
        Where the search begins, shape (P, T).
    sweeps
        Sweeps of coordinate descent before the exact search; 0 from a start that is near the optimum.

    Returns
    -------
    ndarray
        Shape (P, T); what the penalty removes is exactly 0.

    Raises
    ------
    ArithmeticError
        The optimum was not reached; normal matrices that are positive definite do not lead here.
    """
    theta = start.copy()
    descend(normal, moment, regularization, theta, sweeps)
    sign = np.sign(theta)
    sign[:, 0] = 1.0
    todo = np.arange(len(theta))
    for _ in range(100 + 20 * theta.shape[1]):
        done = _advance(normal[todo], moment[todo], regularization, theta, sign, todo)
        todo = todo[~done]
        if not len(todo):
            return theta
    descend(normal, moment, regularization, theta, 20_000)
    worst = kkt_residual(normal, moment, regularization, theta).max()
    if worst > 1e-7:
        raise ArithmeticError(f"L1 fit: expected a KKT residual below 1e-7 of Lambda, reached {worst:.1e}.")
    return theta


def descend(normal: Floats, moment: Floats, regularization: float, theta: Floats, sweeps: int) -> None:
    """Coordinate descent on `theta` in place, at most so many sweeps."""
    if not sweeps:
        return
    residual = moment - np.einsum("pij,pj->pi", normal, theta)
    diagonal = np.einsum("pii->pi", normal)
    for _ in range(sweeps):
        largest = 0.0
        for d in range(theta.shape[1]):
            target = residual[:, d] + diagonal[:, d] * theta[:, d]
            if d:
                target -= np.clip(target, -0.5 * regularization, 0.5 * regularization)
            change = target / diagonal[:, d] - theta[:, d]
            theta[:, d] += change
            residual -= normal[:, :, d] * change[:, None]
            largest = max(largest, float(np.abs(change * diagonal[:, d]).max()))
        if largest < TOLERANCE * regularization:
            return


def kkt_residual(normal: Floats, moment: Floats, regularization: float, theta: Floats) -> Floats:
    """How far each pixel is from the optimality conditions, as a share of Lambda, shape (P,)."""
    gradient = 2.0 * (np.einsum("pij,pj->pi", normal, theta) - moment)
    active = gradient + regularization * np.sign(theta)
    active[:, 0] = gradient[:, 0]
    idle = np.maximum(np.abs(gradient) - regularization, 0.0)
    zero = theta == 0.0
    zero[:, 0] = False
    return np.asarray(np.abs(np.where(zero, idle, active)).max(axis=1) / regularization)


def masked(normal: Floats, active: Bools) -> Floats:
    """Normal matrices of the active terms alone, with 1 on the diagonal of the others, shape (P, T, T)."""
    matrix = normal * (active[:, :, None] & active[:, None, :])
    np.einsum("pii->pi", matrix)[~active] = 1.0
    return matrix


def _advance(
    normal: Floats, moment: Floats, regularization: float, theta: Floats, sign: Floats, rows: NDArray[np.intp]
) -> Bools:
    """One step of the search for `rows`; returns which of them are at the optimum."""
    old, signs = theta[rows], sign[rows]
    active = signs != 0.0
    penalty = 0.5 * regularization * signs
    penalty[:, 0] = 0.0
    target = np.linalg.solve(masked(normal, active), np.where(active, moment - penalty, 0.0)[..., None])[..., 0]
    crossing = active & (target * signs < 0.0)
    crossing[:, 0] = False
    reach = np.where(crossing, old / np.where(crossing, old - target, 1.0), np.inf)
    length = np.minimum(reach.min(axis=1), 1.0)
    new = np.where(length[:, None] < 1.0, old + length[:, None] * (target - old), target)
    dropped = crossing & (reach <= length[:, None])
    new[dropped] = 0.0
    signs = np.where(dropped, 0.0, signs)
    theta[rows] = new
    done = _take_up(normal, moment, regularization, new, signs, length >= 1.0)
    sign[rows] = signs
    return done


def _take_up(
    normal: Floats, moment: Floats, regularization: float, theta: Floats, signs: Floats, settled: Bools
) -> Bools:
    """Give a sign (in `signs`) to the worst zero of every settled pixel; a pixel without one is at the optimum."""
    gradient = 2.0 * (np.einsum("pij,pj->pi", normal, theta) - moment)
    violation = np.where(signs == 0.0, np.abs(gradient) - regularization, -np.inf)
    worst = violation.argmax(axis=1)
    pixels = np.arange(len(theta))
    wrong = violation[pixels, worst] > TOLERANCE * regularization
    add = settled & wrong
    signs[pixels[add], worst[add]] = -np.sign(gradient[pixels[add], worst[add]])
    return np.asarray(settled & ~wrong)
