"""A few pixels with all their stars, in buffers that stay in the cache."""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.training.lasso import SWEEPS
from apogee_labels.cannon.training.many_terms import SharedBasis
from apogee_labels.cannon.training.normal_equations import NormalEquations
from apogee_labels.cannon.training.restrictions import Conditions
from apogee_labels.cannon.training.scatter import Moves, ScatterRule, ScatterSearch
from apogee_labels.cannon.training.solving import free_terms, inverse, least_squares, optimum, undetermined
from apogee_labels.core.arrays import Bools, Floats, Indices

_ROUNDS, _HOLD, _FIRST_STEPS, _STEPS = 25, 4, 3, 2


class Memory:
    """Working memory for blocks of up to `n_pixels` pixels: first-touch page faults cost more than the arithmetic."""

    def __init__(self, n_stars: int, n_pixels: int) -> None:
        self.doubles = np.empty((4, n_pixels, n_stars))
        self.singles = np.empty((4, n_pixels, n_stars), dtype=np.float32)


class PixelBlock:
    """Finds the coefficients and the scatter of a few pixels.

    Parameters
    ----------
    equations
        Terms of the stars.
    flux, ivar
        Of all pixels, shape (N, P).
    pixels
        Which of them.
    least
        Stars with weight that a pixel must have.
    conditions
        Of these pixels.
    memory
        For as many pixels at least.
    stars
        Order in which the rows of `flux` and `ivar` belong to the equations' stars, shape (N,); default: as they are.

    Attributes
    ----------
    theta : ndarray
        Coefficients, shape (p, T).
    alive : ndarray of bool
        Which of the pixels can be trained, shape (p,).
    """

    def __init__(
        self,
        equations: NormalEquations,
        flux: Floats,
        ivar: Floats,
        pixels: Indices,
        *,
        least: int,
        conditions: Conditions,
        memory: Memory,
        stars: Indices | None = None,
    ) -> None:
        self.equations, self.conditions = equations, conditions
        self.flux, self.variance, self.weight, self.spare = memory.doubles[:, : len(pixels)]
        self.singles = memory.singles[:, : len(pixels)]
        where = slice(pixels[0], pixels[-1] + 1) if pixels[-1] - pixels[0] == len(pixels) - 1 else pixels
        rows = slice(None) if stars is None else stars
        self.flux[...], self.variance[...] = flux[:, where][rows].T, ivar[:, where][rows].T
        self.alive: Bools = np.count_nonzero(self.variance, axis=1) >= least
        with np.errstate(divide="ignore", over="ignore"):
            np.reciprocal(self.variance, out=self.variance)
        self.theta = np.zeros((len(pixels), equations.n_terms))
        self.theta[:, 0] = 1.0
        if conditions.bounds is not None:
            np.clip(self.theta, *conditions.bounds.T, out=self.theta)
        self.free: Bools = np.ones(self.theta.shape, dtype=bool)
        self.solved = False

    def find_scatter(self, rule: ScatterRule, basis: SharedBasis | None) -> Floats:
        """Scatter of the pixels by a rule, shape (p,), with a basis for many terms; without one theta follows."""
        search = ScatterSearch(self.variance, self.alive, self.singles)
        s2 = search.start
        if basis is not None and (self.conditions.plain or rule is not ScatterRule.MEDIAN):
            s2 = basis.scatter(self.flux, search, rule)
            if self.conditions.plain:
                return s2
        if rule is ScatterRule.MEDIAN:
            self.solve(np.zeros(len(s2)))
            search.set_residual(self._residual())
            return search.median()
        return self._in_turn(search, rule, s2)

    def solve(self, s2: Floats, *, hold: bool = False) -> None:
        """Set theta to the optimum at s2, shape (p,).

        The free terms decide about the scatter and the scatter about them, which can go on for ever; `hold` keeps their
        set.
        """
        self.weigh(s2)
        moment = self.spare @ self.equations.design
        self.normal = self.equations.matrices(self.equations.sums(self.weight))
        self.normal[~self.alive], moment[~self.alive] = np.eye(self.equations.n_terms), 0.0
        if self.conditions.plain:
            self.theta, singular = least_squares(self.normal, moment)
            self.alive &= ~singular
            return
        if not self.solved:
            singular = undetermined(self.normal)
            self.normal[singular], moment[singular] = np.eye(self.equations.n_terms), 0.0
            self.alive &= ~singular
        sweeps = 0 if self.solved else SWEEPS
        strength, bounds = self.conditions.strength, self.conditions.bounds
        self.theta = optimum(self.normal, moment, strength, bounds, self.theta, sweeps=sweeps)
        self.solved = True
        if not hold:
            self.free = free_terms(self.theta, strength, bounds)

    def weigh(self, s2: Floats) -> None:
        """Set ``weight`` to the weights at s2, shape (p,), and ``spare`` to weights times fluxes, both of shape (p, N)."""
        np.add(self.variance, s2[:, None], out=self.weight)
        np.reciprocal(self.weight, out=self.weight)
        np.multiply(self.weight, self.flux, out=self.spare)

    def inverse(self, pixels: Bools) -> Floats:
        """Inverse normal matrices of the free terms of some pixels at the last solution, shape (q, T, T)."""
        return inverse(self.normal[pixels], None if self.conditions.plain else self.free[pixels])

    def _in_turn(self, search: ScatterSearch, rule: ScatterRule, s2: Floats) -> Floats:
        """Improve theta and s2 in turn, until s2 stands still."""
        moves = Moves(len(s2))
        leverage = np.empty(self.flux.shape, dtype=np.float32) if rule is ScatterRule.RESTRICTED else None
        for number in range(_ROUNDS):
            self.solve(s2, hold=number >= _HOLD)
            search.alive = self.alive
            if leverage is not None and moves.large.any():
                inverse = self.inverse(moves.large) * search.unit[moves.large, None, None]
                leverage[moves.large] = self.equations.leverages(inverse)
            search.set_residual(self._residual(), leverage)
            s2 = moves.after(s2, *search.improve(s2, steps=_STEPS if number else _FIRST_STEPS))
            if moves.settled.all():
                break
        return s2

    def _residual(self) -> Floats:
        np.matmul(self.theta, self.equations.design.T, out=self.spare)
        residual: Floats = np.subtract(self.flux, self.spare, out=self.spare)
        return residual
