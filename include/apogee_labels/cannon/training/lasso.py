"""Least squares with an L1 penalty, from normal matrices, for many pixels at once, to the optimum.

Minimises, for every pixel, ``theta' N theta - 2 m' theta + Lambda sum_{d >= 1} |theta_d|`` (the constant term is free).  A
few sweeps of coordinate descent find most signs; feature-sign search (Lee et al. 2007), batched over pixels, then ends
at the exact optimum: it solves for the coefficients of the present signs, goes there as far as no sign changes, drops
what became zero, and takes up the zero whose gradient is largest beyond Lambda.  The objective falls with every step,
so that it ends.  With many terms each pixel is worked on alone (:mod:`apogee_labels.cannon.training.active_set`):
matrices that hold
only what is not zero are then so much smaller that they outweigh the batch.
"""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.training.active_set import TOLERANCE, Penalty, optimum, rounding
from apogee_labels.core.arrays import Bools, Floats, Indices

SWEEPS = 8
"""Sweeps of coordinate descent that find most signs from any start."""

MANY_TERMS = 50
"""Terms from which each pixel is worked on alone: where the two ways take the same time."""


def lasso(
    normal: Floats, moment: Floats, regularization: float | Floats, start: Floats, *, sweeps: int = SWEEPS
) -> Floats:
    """Return the optimal coefficients.

    Parameters
    ----------
    normal, moment
        N, shape (P, T, T), positive definite, and m, shape (P, T).
    regularization
        Lambda, one for all pixels or shape (P,), 0 or more; where it is 0 the pixel gets plain least squares.
    start
        Where the search begins, shape (P, T).
    sweeps
        Sweeps of coordinate descent before the exact search; 0 from a start that is near the optimum.  With many terms
        there are none.

    Returns
    -------
    ndarray
        Shape (P, T); what the penalty removes is exactly 0.

    Raises
    ------
    ValueError
        A Lambda is negative or not finite, or there is neither one nor one for each pixel.
    numpy.linalg.LinAlgError
        Lambda is 0 where the normal matrix is singular.
    ArithmeticError
        The optimum was not reached; normal matrices that are positive definite do not lead here.
    """
    strength = strengths(regularization, len(moment))
    theta = start.copy()
    plain = strength == 0.0
    if plain.any():
        theta[plain] = np.linalg.solve(normal[plain], moment[plain][..., None])[..., 0]
    todo = np.flatnonzero(~plain)
    if moment.shape[1] < MANY_TERMS:
        todo = _search_together(normal, moment, strength, theta, todo, sweeps)
    for pixel in todo:
        theta[pixel] = optimum(normal[pixel], moment[pixel], unbounded(strength[pixel], moment.shape[1]), theta[pixel])
    return theta


def strengths(regularization: float | Floats, n_pixels: int) -> Floats:
    """Lambda of every pixel, shape (P,), from one for all or one for each; ValueError where that cannot be."""
    strength = np.asarray(regularization, dtype=np.float64)
    if strength.shape not in ((), (n_pixels,)):
        raise ValueError(f"Lambda: expected one number or {n_pixels}, one for each pixel; got shape {strength.shape}.")
    if not (np.isfinite(strength) & (strength >= 0.0)).all():
        raise ValueError("Lambda: expected finite numbers of 0 or more; 0 stands for no penalty.")
    return np.broadcast_to(strength, (n_pixels,))


def unbounded(strength: Floats, n_terms: int) -> Penalty:
    """The L1 penalty of all terms but the constant; `strength` has shape (...), what is returned (..., T)."""
    each = np.repeat(np.asarray(strength)[..., None], n_terms, axis=-1)
    each[..., 0] = 0.0
    return Penalty(each, np.full_like(each, -np.inf), np.full_like(each, np.inf))


def descend(normal: Floats, moment: Floats, regularization: float | Floats, theta: Floats, sweeps: int) -> None:
    """Coordinate descent on `theta` in place, at most so many sweeps."""
    half = 0.5 * strengths(regularization, len(theta))
    residual = moment - np.einsum("pij,pj->pi", normal, theta)
    diagonal = np.einsum("pii->pi", normal)
    for _ in range(sweeps):
        before = theta.copy()
        for d in range(theta.shape[1]):
            target = residual[:, d] + diagonal[:, d] * theta[:, d]
            if d:
                target -= np.clip(target, -half, half)
            change = target / diagonal[:, d] - theta[:, d]
            theta[:, d] += change
            residual -= normal[:, d] * change[:, None]
        if (np.abs((theta - before) * diagonal) < TOLERANCE * half[:, None]).all():
            return


def masked(normal: Floats, active: Bools) -> Floats:
    """Normal matrices of the active terms alone, with 1 on the diagonal of the others, shape (P, T, T)."""
    matrix = normal * (active[:, :, None] & active[:, None, :])
    np.einsum("pii->pi", matrix)[~active] = 1.0
    return matrix


def _search_together(
    normal: Floats, moment: Floats, strength: Floats, theta: Floats, todo: Indices, sweeps: int
) -> Indices:
    """Bring the pixels `todo` of `theta` to the optimum, in place; returns those that are not there yet."""
    if sweeps:
        near = theta[todo]
        descend(normal[todo], moment[todo], strength[todo], near, sweeps)
        theta[todo] = near
    sign = np.sign(theta)
    sign[:, 0] = 1.0
    for _ in range(20 + 2 * theta.shape[1]):
        done = _advance(normal[todo], moment[todo], strength[todo], theta, sign, todo)
        todo = todo[~done]
        if not len(todo):
            break
    return todo


def _advance(normal: Floats, moment: Floats, strength: Floats, theta: Floats, sign: Floats, rows: Indices) -> Bools:
    """One step of the search for `rows`; returns which of them are at the optimum."""
    old, signs = theta[rows], sign[rows]
    active = signs != 0.0
    penalty = 0.5 * strength[:, None] * signs
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
    done = _take_up(normal, moment, strength, new, signs, length >= 1.0)
    sign[rows] = signs
    return done


def _take_up(normal: Floats, moment: Floats, strength: Floats, theta: Floats, signs: Floats, settled: Bools) -> Bools:
    """Give a sign (in `signs`) to the worst zero of every settled pixel; a pixel without one is at the optimum."""
    gradient = 2.0 * (np.einsum("pij,pj->pi", normal, theta) - moment)
    slack = TOLERANCE * strength[:, None] + rounding(np.sqrt(np.einsum("pii->pi", normal)), moment, theta)
    penalty = strength[:, None] * signs
    penalty[:, 0] = 0.0
    zero = signs == 0.0
    excess = np.where(zero, np.abs(gradient) - strength[:, None], np.abs(gradient + penalty)) - slack
    of_zeros = np.where(zero, excess, -np.inf)
    worst, pixels = of_zeros.argmax(axis=1), np.arange(len(theta))
    add = settled & (of_zeros[pixels, worst] > 0.0)
    signs[pixels[add], worst[add]] = -np.sign(gradient[pixels[add], worst[add]])
    return np.asarray(settled & (excess <= 0.0).all(axis=1))
