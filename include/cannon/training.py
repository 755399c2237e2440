"""Training: the coefficients and the intrinsic scatter of every pixel.

Per pixel (Ness et al. 2015, Casey et al. 2016) the objective over (theta, s2) is

    sum W (y - v.theta)^2 - sum ln W + Lambda sum_{d >= 1} |theta_d|,   W = 1 / (sigma^2 + s2),

plus ln det(V' W V) for the restricted likelihood of the scatter (over the terms that are not zero).  Pixels are
independent and are worked on in blocks small enough for the cache, with the same buffers for every block.  All normal
matrices of a block come from one product of its weights with the distinct products of the terms; theta and s2 are
improved in turn until s2 moves by less than a thousandth of its own standard error, and theta is the exact solution at
the final s2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from include.cannon.lasso import SWEEPS, lasso, masked
from include.cannon.monomials import Monomials, monomials
from include.cannon.scatter import ScatterRule, newton_step, weights

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[int, int], None]

METHOD_VERSION = "3"
"""Raised whenever the same training set and parameters would give another model: part of every model's identity."""

BLOCK = 64
"""Pixels worked on together."""

START = 1e-4
"""First guess of s2: a scatter of one per cent."""

SINGULAR = 1e-13
"""Reciprocal condition (of the matrix with unit diagonal) below which a pixel's stars do not determine its coefficients."""

STARS_PER_TERM = 3
"""Stars with weight that a pixel must have for each coefficient: with barely more stars than terms the coefficients
interpolate the noise and s2 falls to 0, so that the pixel takes part in every inference as if it were exact."""

LEAST_SHARE = 0.1
"""Share of the stars with a spectrum that must have weight in a pixel."""

_ROUNDS, _HOLD, _FIRST_STEPS, _STEPS, _PRECISION = 25, 4, 3, 2, 1e-3


class Coefficients(NamedTuple):
    """What training finds."""

    theta: Floats
    """Coefficients, shape (P, T), with K latent variables (P, T + K)."""
    s2: Floats
    """Intrinsic variance, shape (P,).  Infinite where a pixel could not be trained: it has no weight at inference."""


class _Problem(NamedTuple):
    """What is common to all pixels."""

    products: Floats  # (N, U), distinct products of two terms; the terms themselves come first
    pairs: NDArray[np.intp]  # (T, T), where in U the product of two terms is
    fold: NDArray[np.intp]  # (T * T,), the same, flat
    regularization: float
    rule: ScatterRule
    least: int  # stars with weight that a pixel must have

    @property
    def n_terms(self) -> int:
        return len(self.pairs)

    @property
    def design(self) -> Floats:
        """The terms, shape (N, T)."""
        return self.products[:, : self.n_terms]


def train_pixels(
    scaled: Floats,
    flux: Floats,
    ivar: Floats,
    *,
    order: int,
    regularization: float,
    rule: ScatterRule,
    progress: Progress | None = None,
    scores: Floats | None = None,
) -> Coefficients:
    """Train every pixel.

    Parameters
    ----------
    scaled
        Scaled labels of the stars, shape (N, L).
    flux, ivar
        Shape (N, P).
    order, regularization, rule
        Degree of the terms, L1 strength Lambda, and how s2 is estimated.
    progress
        Called with the number of pixels done and their total, after every block.
    scores
        Latent variables of the stars (:mod:`include.cannon.latent`), shape (N, K): further terms, after those of the
        labels.  Their coefficients are the last K columns of ``theta``.

    Returns
    -------
    Coefficients
        Where fewer stars have weight than :func:`least_stars` asks for, or they do not determine the terms: theta =
        (1, 0, 0, ...) and s2 infinite.
    """
    problem = _problem(scaled, monomials(scaled.shape[1], order), regularization, rule)
    if scores is not None and scores.shape[1]:
        problem = _with_scores(problem, scores)
    problem = problem._replace(least=least_stars(int(np.count_nonzero(ivar.any(axis=1))), problem.n_terms))
    n_stars, n_pixels = flux.shape
    theta, s2 = np.zeros((n_pixels, problem.n_terms)), np.full(n_pixels, np.inf)
    theta[:, 0] = 1.0
    buffers = np.empty((5, n_stars, BLOCK))
    for start in range(0, n_pixels, BLOCK):
        pixels = slice(start, min(start + BLOCK, n_pixels))
        block = _Block(problem, flux[:, pixels], ivar[:, pixels], buffers)
        if block.alive.any():
            theta[pixels], s2[pixels] = block.train()
        if progress is not None:
            progress(pixels.stop, n_pixels)
    return Coefficients(theta, s2)


def least_stars(n_stars: int, n_terms: int) -> int:
    """Stars with weight that a pixel must have to be trained.

    Three for each term, and a tenth of all.  A set that has fewer than three for each term in all must do with more
    stars than terms in each pixel, or it would train nothing; one that has few more may lack a quarter of its stars.

    Parameters
    ----------
    n_stars
        Stars that have weight in any pixel.
    n_terms
        Coefficients of a pixel, latent variables included.
    """
    if n_stars < STARS_PER_TERM * n_terms:
        return n_terms + 1
    return max(min(STARS_PER_TERM * n_terms, 3 * n_stars // 4), math.ceil(LEAST_SHARE * n_stars))


def _problem(scaled: Floats, terms: Monomials, regularization: float, rule: ScatterRule) -> _Problem:
    squares = monomials(scaled.shape[1], 2 * terms.order)
    pairs = squares.products(terms)
    products = np.ascontiguousarray(squares.evaluate(scaled))
    return _Problem(products, pairs, pairs.ravel(), regularization, rule, least=len(terms) + 1)


def _with_scores(problem: _Problem, scores: Floats) -> _Problem:
    """The problem with the columns of `scores`, shape (N, K), as further terms."""
    n_terms, count = problem.n_terms, scores.shape[1]
    first, second = np.triu_indices(count)
    mixed = (problem.design[:, 1:, None] * scores[:, None, :]).reshape(len(scores), -1)
    old = problem.products[:, n_terms:]
    products = np.hstack([problem.design, scores, old, mixed, scores[:, first] * scores[:, second]])
    pairs = np.empty((n_terms + count, n_terms + count), dtype=np.intp)
    pairs[:n_terms, :n_terms] = problem.pairs + count * (problem.pairs >= n_terms)
    pairs[0, n_terms:] = n_terms + np.arange(count)
    start = n_terms + count + old.shape[1]
    pairs[1:n_terms, n_terms:] = start + np.arange(mixed.shape[1]).reshape(n_terms - 1, count)
    pairs[n_terms + first, n_terms + second] = start + mixed.shape[1] + np.arange(len(first))
    pairs = np.where(np.tri(len(pairs), k=-1, dtype=bool), pairs.T, pairs)
    return problem._replace(products=np.ascontiguousarray(products), pairs=pairs, fold=pairs.ravel())


class _Block:
    """A few pixels, with their stars in buffers that stay in the cache."""

    def __init__(self, problem: _Problem, flux: Floats, ivar: Floats, buffers: Floats) -> None:
        self.problem = problem
        n_pixels = flux.shape[1]
        self.flux, self.ivar, self.weight, self.spare, self.square = (buffer[:, :n_pixels] for buffer in buffers)
        self.flux[...], self.ivar[...] = flux, ivar
        self.alive: Bools = np.count_nonzero(ivar, axis=0) >= problem.least
        self.theta = np.zeros((n_pixels, problem.n_terms))
        self.theta[:, 0] = 1.0
        self.active: Bools = np.ones(self.theta.shape, dtype=bool)

    def train(self) -> Coefficients:
        """Improve theta and s2 in turn, until s2 stands still; then solve for theta a last time."""
        s2, last = np.full(len(self.alive), START), np.zeros(len(self.alive))
        for number in range(_ROUNDS):
            self.set_square(self.solve(s2, first=number == 0, hold=number >= _HOLD))
            new = self.improve(s2, steps=_FIRST_STEPS if number == 0 else _STEPS)
            change = np.abs(new - s2) * np.sqrt(0.5 * self.information)
            s2 = new
            expected = change * np.minimum(change / np.maximum(last, _PRECISION), 1.0)  # of the next round
            if (expected[self.alive] < _PRECISION).all():
                break
            last = change
        self.solve(s2, inverse=False)
        self.theta[~self.alive] = np.eye(1, self.problem.n_terms)
        return Coefficients(self.theta, np.where(self.alive, s2, np.inf))

    def solve(self, s2: Floats, *, first: bool = False, hold: bool = False, inverse: bool = True) -> Floats | None:
        """Set theta to the optimum at s2; returns the inverse normal matrices of the active terms, if asked.

        The active terms are those that are not zero.  They decide about the scatter and the scatter about them, which
        can go on for ever; from some round on their set is held.
        """
        problem = self.problem
        weights(self.ivar, s2, out=self.weight)
        normal: Floats = (self.weight.T @ problem.products)[:, problem.pairs]
        moment = np.multiply(self.weight, self.flux, out=self.spare).T @ problem.design
        if first:
            self._find_singular(normal)
        normal[~self.alive], moment[~self.alive] = np.eye(problem.n_terms), 0.0
        if problem.regularization:
            self.theta = lasso(normal, moment, problem.regularization, self.theta, sweeps=SWEEPS if first else 0)
            self.active = self.active if hold else (self.theta != 0.0) | (np.arange(problem.n_terms) == 0)
            normal = masked(normal, self.active)
        else:
            self.theta = np.linalg.solve(normal, moment[..., None])[..., 0]
        if not inverse or problem.rule is ScatterRule.LIKELIHOOD:
            return None
        return np.asarray(np.linalg.inv(normal), dtype=np.float64)

    def set_square(self, inverse: Floats | None) -> None:
        """Squared residuals of the stars, plus their leverages when the inverse normal matrices are given."""
        problem = self.problem
        np.matmul(problem.design, self.theta.T, out=self.spare)
        np.subtract(self.flux, self.spare, out=self.square)
        np.multiply(self.square, self.square, out=self.square)
        if inverse is None:
            return
        if problem.regularization:
            inverse = inverse * (self.active[:, :, None] & self.active[:, None, :])
        folded = np.zeros((problem.products.shape[1], len(inverse)))
        np.add.at(folded, problem.fold, inverse.reshape(len(inverse), -1).T)
        np.matmul(problem.products, folded, out=self.spare)
        np.add(self.square, self.spare, out=self.square)

    def improve(self, s2: Floats, *, steps: int) -> Floats:
        """A few Newton steps on s2, with residuals and leverages as they are."""
        for _ in range(steps):
            weights(self.ivar, s2, out=self.weight)
            self.weight[:, ~self.alive] = 1.0
            step, self.information = newton_step(self.weight, self.square, self.spare)
            s2 = np.maximum(s2 + step, 0.0)
        return s2

    def _find_singular(self, normal: Floats) -> None:
        """Take pixels whose stars do not determine the terms out of the block."""
        scale = np.sqrt(np.einsum("pii->pi", normal))
        scale[scale == 0.0] = 1.0
        unit = normal / (scale[:, :, None] * scale[:, None, :])
        self.alive &= np.linalg.eigvalsh(unit)[:, 0] > SINGULAR * self.problem.n_terms
