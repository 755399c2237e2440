"""Training: the coefficients and the intrinsic scatter of every pixel.

Per pixel (Ness et al. 2015, Casey et al. 2016) the objective over (theta, s2) is::

    sum W (y - v.theta)^2 - sum ln W + Lambda sum_{d >= 1} |theta_d|,   W = 1 / (sigma^2 + s2),

plus ln det(V' W V) for the restricted likelihood of the scatter (over the terms that are free).  Pixels are independent
and are worked on in blocks small enough for the cache, with the same buffers for every block.  All normal matrices of a
block come from one product of its weights with the distinct products of the terms; theta and s2 are improved in turn
until s2 moves by less than a thousandth of its own standard error, and theta is the exact solution at the final s2.
Where the terms are many, s2 is found without normal matrices (:mod:`apogee_labels.cannon.training.many_terms`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.cannon.noise.noise_modes import NoiseModes, pieces, sample_of
from apogee_labels.cannon.training.many_terms import MANY_TERMS, SharedBasis
from apogee_labels.cannon.training.normal_equations import NormalEquations
from apogee_labels.cannon.training.pixel_block import Memory, PixelBlock
from apogee_labels.cannon.training.restrictions import Conditions
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.training.solving import inverse, placed
from apogee_labels.core.arrays import Bools, Floats, Indices
from apogee_labels.core.progress import ProgressCallback

METHOD_VERSION = "5"
"""Raised whenever the same training set and parameters would give another model: part of every model's identity."""

BLOCK, LARGE_BLOCK = 64, 256
"""Pixels worked on together; the larger number where the terms are many and nothing but least squares is asked for."""

STARS_PER_TERM = 3
"""Stars with weight that a pixel must have for each coefficient: with barely more stars than terms the coefficients
interpolate the noise and s2 falls to 0, so that the pixel takes part in every inference as if it were exact."""

LEAST_SHARE = 0.1
"""Share of the stars with a spectrum that must have weight in a pixel."""


class Coefficients(NamedTuple):
    """What training finds."""

    theta: Floats
    """Coefficients, shape (P, T), with K latent variables (P, T + K)."""
    s2: Floats
    """Intrinsic variance, shape (P,).  Infinite where a pixel could not be trained: it has no weight at inference."""
    noise: CoefficientNoise | None = None
    """Covariances of the coefficients of the labels' terms, compressed; 0 for pixels that could not be trained.  None
    where they were not asked for, or there is a penalty or a bound."""


def train_pixels(
    scaled: Floats,
    flux: Floats,
    ivar: Floats,
    *,
    order: int,
    regularization: float | Floats,
    rule: ScatterRule,
    progress: ProgressCallback | None = None,
    scores: Floats | None = None,
    s2: Floats | None = None,
    allowed: Bools | None = None,
    bounds: Floats | None = None,
    noise: bool = False,
) -> Coefficients:
    """Train every pixel.

    Parameters
    ----------
    scaled
        Scaled labels of the stars, shape (N, L).
    flux, ivar
        Shape (N, P).
    order, rule
        Degree of the terms, and how s2 is estimated.
    regularization
        L1 strength Lambda, one for all pixels or shape (P,).
    progress
        Called with the number of pixels done and their total, after every block.
    scores
        Latent variables of the stars (:mod:`apogee_labels.cannon.noise.latent`), shape (N, K): further terms, after
        those of the
        labels.  Their coefficients are the last K columns of ``theta``.
    s2
        The intrinsic variance, shape (P,), where it is not to be estimated; a pixel where it is infinite stays
        untrained.
    allowed
        Which coefficients of the labels' terms may differ from 0, shape (P, T); the constant may in any case.
    bounds
        Least and greatest value of each coefficient of the labels' terms, shape (T, 2), infinite where there is none.
    noise
        Whether the covariances of the coefficients are kept, if they are known: for plain least squares.

    Returns
    -------
    Coefficients
        Where fewer stars have weight than :func:`least_stars` asks for, or they do not determine the terms: theta =
        (1, 0, 0, ...) and s2 infinite.

    Raises
    ------
    ValueError
        ``s2``, ``allowed``, ``bounds`` or ``regularization`` have another shape, or a value that is out of range.
    """
    equations = NormalEquations.of_labels(scaled, order)
    n_terms, n_pixels = equations.n_terms, flux.shape[1]
    conditions = Conditions.checked(n_pixels, n_terms, regularization, allowed, bounds)
    if s2 is not None and (s2.shape != (n_pixels,) or not (s2 >= 0.0).all()):
        raise ValueError(f"s2: expected shape ({n_pixels},), every value 0 or more, got shape {s2.shape}.")
    if scores is not None and scores.shape[1]:
        equations, conditions = equations.with_scores(scores), conditions.with_scores(scores.shape[1])
    n_stars, memory = int(np.count_nonzero(ivar.any(axis=1))), Memory(len(flux), min(LARGE_BLOCK, n_pixels))
    work = _Work(equations, n_terms, conditions, flux, ivar, n_stars, rule, s2, memory)
    modes = _modes(work) if noise and conditions.plain else None
    theta = np.tile(np.eye(1, equations.n_terms), (n_pixels, 1))
    found, done = Coefficients(theta, np.full(n_pixels, np.inf)), 0
    for pixels, terms in conditions.groups(equations.n_terms):
        group = _Group(work, terms)
        for start in range(0, len(pixels), group.size):
            chosen = pixels[start : start + group.size]
            group.train(chosen, found, modes)
            done += len(chosen)
            if progress is not None:
                progress(done, n_pixels)
    return found if modes is None else found._replace(noise=modes.noise())


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


def _able_pixels(conditions: Conditions, n_terms: int, ivar: Floats, s2: Floats | None) -> Indices:
    """Pixels that have the stars to be trained, ascending; `n_terms` is the number of all terms."""
    n_stars, counts = int(np.count_nonzero(ivar.any(axis=1))), np.zeros(ivar.shape[1], dtype=np.intp)
    for start in range(0, len(ivar), BLOCK):  # all at once would make a second array of the size of all pixels
        counts += np.count_nonzero(ivar[start : start + BLOCK], axis=0)
    if s2 is not None:
        counts[~np.isfinite(s2)] = 0
    able = [
        pixels[counts[pixels] >= least_stars(n_stars, int(np.count_nonzero(terms)))]
        for pixels, terms in conditions.groups(n_terms)
    ]
    return np.sort(np.concatenate(able))


class _Work(NamedTuple):
    """What is common to all pixels."""

    equations: NormalEquations
    n_label_terms: int
    conditions: Conditions
    flux: Floats
    ivar: Floats
    n_stars: int
    rule: ScatterRule
    s2: Floats | None
    memory: Memory


class _Group:
    """Pixels that have the same terms, shape (T,)."""

    def __init__(self, work: _Work, terms: Bools) -> None:
        self.work, self.terms = work, terms
        self.equations, self.conditions = work.equations.subset(terms), work.conditions.of_terms(terms)
        self.least = least_stars(work.n_stars, self.equations.n_terms)
        n_terms = self.equations.n_terms
        self.size = LARGE_BLOCK if n_terms >= MANY_TERMS and self.conditions.plain else BLOCK
        serves = work.s2 is None and SharedBasis.serves(work.n_stars, n_terms)
        self.basis = SharedBasis(self.equations.design, work.ivar) if serves else None

    def train(self, pixels: Indices, found: Coefficients, modes: NoiseModes | None) -> None:
        """Train some of the pixels and write what is found in its place."""
        block, s2 = self._trained(pixels)
        trained = pixels[block.alive]
        found.theta[np.ix_(trained, self.terms)] = block.theta[block.alive]
        found.s2[trained] = s2[block.alive]
        if modes is not None:
            for rows in pieces(np.flatnonzero(block.alive)):
                modes.add(pixels[rows], inverse(block.normal[rows]), self.label_terms)

    def covariance(self, pixels: Indices) -> Floats:
        """Covariances of the coefficients of the labels' terms, shape (q, T, T), of those that can be trained."""
        block, _ = self._trained(pixels)
        return placed(inverse(block.normal[block.alive]), self.label_terms)

    @property
    def label_terms(self) -> Bools:
        """Which of the labels' terms these pixels have."""
        return self.terms[: self.work.n_label_terms]

    def _trained(self, pixels: Indices) -> tuple[PixelBlock, Floats]:
        """Trained pixels, and their scatter."""
        work, conditions = self.work, self.conditions.of_pixels(pixels)
        block = PixelBlock(
            self.equations, work.flux, work.ivar, pixels, least=self.least, conditions=conditions, memory=work.memory
        )
        if work.s2 is not None:
            block.alive &= np.isfinite(work.s2[pixels])
        if not block.alive.any():
            return block, np.full(len(pixels), np.inf)
        s2 = block.find_scatter(work.rule, self.basis) if work.s2 is None else work.s2[pixels]
        block.solve(s2)
        return block, s2


def _modes(work: _Work) -> NoiseModes:
    """Ready to take the covariances of all pixels, after a sample of them."""
    n_terms = work.equations.n_terms
    sample = sample_of(_able_pixels(work.conditions, n_terms, work.ivar, work.s2))
    parts = [np.empty((0, work.n_label_terms, work.n_label_terms))]
    for pixels, terms in work.conditions.groups(n_terms):
        chosen = np.intersect1d(pixels, sample, assume_unique=True)
        if len(chosen):
            parts.append(_Group(work, terms).covariance(chosen))
    return NoiseModes(np.concatenate(parts), len(work.conditions.strength))
