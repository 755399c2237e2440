"""Many small minimisations at once: Levenberg and Marquardt's method in a box, for all spectra and all starts together.

Coordinates at an edge of the box whose gradient points outwards are held there; the others take a damped Newton step.
A step that does not lower chi-square, or a matrix that is not positive definite, raises the damping.  A start has
converged when an undamped step promises less than a hundred-millionth of a unit of chi-square: a ten-thousandth of a
standard error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apogee_labels.cannon.inference.objective import Derivatives, Objective
from apogee_labels.core.arrays import Bools, Floats, Indices

MAX_ITERATIONS = 200
TOLERANCE = 1e-8
"""Decrease of chi-square that a step must promise to be worth another one."""

_FIRST, _LEAST, _LARGEST = 1e-3, 1e-12, 1e12
_FLAT = 1e-8
_ROUNDING = 1e-11


class Minima(NamedTuple):
    """Where each of S starts of n spectra ended."""

    x: Floats
    """Shape (n, S, L)."""
    value: Floats
    """Shape (n, S)."""
    converged: Bools
    """Shape (n, S)."""
    n_iterations: Indices
    """Shape (n, S)."""


def minimise(
    objective: Objective, start: Floats, lower: Floats, upper: Floats, *, max_iterations: int = MAX_ITERATIONS
) -> Minima:
    """Minimise from every start.

    Parameters
    ----------
    objective
        What is minimised: n functions of L variables.
    start
        Shape (n, S, L), inside the box.
    lower, upper
        Shape (L,), the box.
    max_iterations
        At most so many steps a start.
    """
    result = Minima(
        start.copy(),
        np.empty(start.shape[:2]),
        np.zeros(start.shape[:2], dtype=bool),
        np.zeros(start.shape[:2], dtype=np.intp),
    )
    rows = np.arange(len(start))
    state = _State(start.copy(), objective.evaluate(start), np.full(start.shape[:2], _FIRST))
    result.value[...] = state.at.value
    for _ in range(max_iterations):
        done = state.advance(objective, lower, upper, result, rows)
        if done.all():
            break
        if 2 * np.count_nonzero(done) > len(done):
            left = np.flatnonzero(~done)
            objective, rows = objective.take(left), rows[left]
            state = state.take(left)
    return result


class _State:
    """Where the starts are, and how strongly each is damped."""

    def __init__(self, x: Floats, at: Derivatives, damping: Floats) -> None:
        self.x, self.at, self.damping = x, at, damping

    def take(self, rows: Indices) -> _State:
        at = Derivatives(self.at.value[rows], self.at.gradient[rows], self.at.hessian[rows])
        return _State(self.x[rows], at, self.damping[rows])

    def advance(self, objective: Objective, lower: Floats, upper: Floats, result: Minima, rows: Indices) -> Bools:
        """One step of every start that has not converged; returns which spectra are done."""
        open_ = ~result.converged[rows] & (self.damping < _LARGEST)
        held = ((self.x <= lower) & (self.at.gradient > 0)) | ((self.x >= upper) & (self.at.gradient < 0))
        step, definite = _newton(self.at.hessian, self.at.gradient, held, self.damping)
        x = np.where((definite & open_)[..., None], np.clip(self.x + step, lower, upper), self.x)
        new = objective.evaluate(x)
        slack = _ROUNDING * np.maximum(np.abs(self.at.value), 1.0)
        accepted = open_ & definite & (new.value <= self.at.value + slack)
        promise = -np.einsum("nsl,nsl->ns", self.at.gradient, x - self.x)
        converged = accepted & (promise < TOLERANCE) & (self.damping <= 1.0)
        self._accept(accepted, x, new)
        self.damping = np.where(accepted, np.maximum(self.damping / 10.0, _LEAST), self.damping * 10.0)
        result.x[rows], result.value[rows] = self.x, self.at.value
        result.converged[rows] |= converged
        result.n_iterations[rows] += open_
        return np.asarray((~open_ | converged).all(axis=1))

    def _accept(self, accepted: Bools, x: Floats, new: Derivatives) -> None:
        self.x = np.where(accepted[..., None], x, self.x)
        self.at = Derivatives(
            np.where(accepted, new.value, self.at.value),
            np.where(accepted[..., None], new.gradient, self.at.gradient),
            np.where(accepted[..., None, None], new.hessian, self.at.hessian),
        )


def _newton(hessian: Floats, gradient: Floats, held: Bools, damping: Floats) -> tuple[Floats, Bools]:
    """Damped Newton steps (outwards where held: the box stops those), and whether the matrix was positive definite."""
    size = hessian.shape[-1]
    matrix = np.ascontiguousarray(hessian.transpose(2, 3, 0, 1))  # (L, L, n, S): long last axes
    held = held.transpose(2, 0, 1)
    matrix *= ~(held[:, None] | held[None, :])
    diagonal = np.abs(np.einsum("kkns->kns", matrix))
    diagonal = np.maximum(diagonal, _FLAT * diagonal.max(axis=0)) + np.finfo(float).tiny
    for k in range(size):
        matrix[k, k] += damping * diagonal[k] + held[k]
    return solve_definite(matrix, -gradient.transpose(2, 0, 1))


def solve_definite(matrix: Floats, right: Floats) -> tuple[Floats, Bools]:
    """Solve many small symmetric systems, laid out with the systems last; `matrix` and `right` are used up.

    Parameters
    ----------
    matrix
        Shape (L, L, ...).
    right
        Shape (L, ...).

    Returns
    -------
    solution, definite
        Shape (..., L), and whether the matrix is positive definite, shape (...); the solution means nothing where it is
        not.
    """
    size = len(matrix)
    definite = np.ones(matrix.shape[2:], dtype=bool)
    for k in range(size):
        definite &= matrix[k, k] > 0.0
        pivot = np.where(definite, matrix[k, k], 1.0)
        matrix[k, k] = pivot
        ratio = matrix[k + 1 :, k] / pivot
        matrix[k + 1 :, k + 1 :] -= ratio[:, None] * matrix[k, k + 1 :][None]
        right[k + 1 :] -= ratio * right[k]
    for k in range(size - 1, -1, -1):
        right[k] = (right[k] - np.sum(matrix[k, k + 1 :] * right[k + 1 :], axis=0)) / matrix[k, k]
    return right.transpose(*range(1, right.ndim), 0), definite
