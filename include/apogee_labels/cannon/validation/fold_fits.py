"""Models of all stars but some, at a given scatter: each star's products are summed once.

The normal matrix of the stars outside a fold is that of all stars less that of the fold (k-fold cross-validation, the
jackknife), and a path over the strength of the penalty needs no sum but the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.cannon.noise.noise_modes import Modes
from apogee_labels.cannon.training.coefficients import BLOCK, least_stars
from apogee_labels.cannon.training.lasso import SWEEPS
from apogee_labels.cannon.training.normal_equations import NormalEquations
from apogee_labels.cannon.training.pixel_block import Memory, PixelBlock
from apogee_labels.cannon.training.restrictions import Conditions
from apogee_labels.cannon.training.solving import inverse, optimum, undetermined
from apogee_labels.core.arrays import Bools, Floats, Indices
from apogee_labels.core.progress import ProgressCallback

MODE_PIXELS = 1000
"""Pixels, or somewhat more, in which the covariances of the coefficients without a fold are made."""


class FoldFits(NamedTuple):
    """Models that lack one fold each."""

    theta: Floats
    """Coefficients, shape (F, P, T)."""
    s2: Floats
    """The given scatter, infinite where a pixel has too few stars without the fold, shape (F, P)."""
    noise: list[CoefficientNoise] | None
    """Of each, if that of all stars is given."""


def fold_fits(
    scaled: Floats,
    flux: Floats,
    ivar: Floats,
    folds: Indices,
    *,
    order: int,
    s2: Floats,
    regularization: float | Floats = 0.0,
    allowed: Bools | None = None,
    bounds: Floats | None = None,
    noise: CoefficientNoise | None = None,
    progress: ProgressCallback | None = None,
) -> FoldFits:
    """Train without each fold's stars.

    Parameters
    ----------
    folds
        Fold of each star, 0 to F - 1, shape (N,).
    noise
        Of the coefficients of all stars at the same scatter, with neither a penalty nor bounds; default: not known.
        Without a fold a pixel keeps its amplitudes; the modes are others, and ``MODE_PIXELS`` are enough to find them.
    scaled, flux, ivar, order, s2, regularization, allowed, bounds, progress
        As in :func:`apogee_labels.cannon.training.coefficients.train_pixels`, for all stars.

    Raises
    ------
    ValueError
        As there.
    """
    n_pixels, n_terms = flux.shape[1], len(monomials(scaled.shape[1], order))
    conditions = Conditions.checked(n_pixels, n_terms, regularization, allowed, bounds)
    _check(s2, folds, flux.shape)
    n_folds = int(folds.max()) + 1
    theta = np.tile(np.eye(1, n_terms), (n_folds, n_pixels, 1))
    scatter = np.full((n_folds, n_pixels), np.inf)
    modes = [Modes(n_terms) for _ in range(n_folds)]
    for part in _parts(scaled, flux, ivar, folds, order, s2, conditions, progress):
        strength, limits = part.conditions.strength, part.conditions.bounds
        for fold, (normal, moment, alive) in enumerate(part.systems):
            found = optimum(normal, moment, strength, limits, np.zeros(moment.shape))
            trained = part.pixels[alive]
            theta[fold, trained[:, None], part.terms] = found[alive]
            scatter[fold, trained] = s2[trained]
            if noise is not None:
                rows = alive & (part.pixels % max(n_pixels // MODE_PIXELS, 1) == 0)
                modes[fold].add(noise.amplitudes[part.pixels[rows]], inverse(normal[rows]), part.allowed)
    return FoldFits(theta, scatter, None if noise is None else _noise(noise, scatter, modes))


def _noise(noise: CoefficientNoise, scatter: Floats, modes: list[Modes]) -> list[CoefficientNoise]:
    return [
        CoefficientNoise(np.where(np.isfinite(s2)[:, None], noise.amplitudes, 0.0), found.modes())
        for s2, found in zip(scatter, modes, strict=True)
    ]


def path_fits(
    scaled: Floats,
    flux: Floats,
    ivar: Floats,
    strengths: Sequence[float],
    folds: Indices | None = None,
    *,
    order: int,
    s2: Floats,
    allowed: Bools | None = None,
    bounds: Floats | None = None,
    progress: ProgressCallback | None = None,
) -> Floats:
    """Train once for each strength of the penalty, and without each fold's stars if there are any.

    Each search begins at the optimum of the next larger strength.

    Parameters
    ----------
    strengths
        L1 strengths Lambda, in any order.
    folds
        Fold of each star, 0 to F - 1, shape (N,); default: only models of all stars.
    scaled, flux, ivar, order, s2, allowed, bounds, progress
        As in :func:`apogee_labels.cannon.training.coefficients.train_pixels`, for all stars.

    Returns
    -------
    ndarray
        Coefficients, shape (S, F, P, T) for S strengths, without folds (S, P, T); (1, 0, 0, ...) where a pixel has too
        few stars.

    Raises
    ------
    ValueError
        As there.
    """
    n_pixels, n_terms = flux.shape[1], len(monomials(scaled.shape[1], order))
    conditions = Conditions.checked(n_pixels, n_terms, 0.0, allowed, bounds)
    for strength in strengths:
        Conditions.checked(n_pixels, n_terms, strength, None, None)
    _check(s2, folds, flux.shape)
    n_folds = 1 if folds is None else int(folds.max()) + 1
    theta = np.tile(np.eye(1, n_terms), (len(strengths), n_folds, n_pixels, 1))
    falling = sorted(range(len(strengths)), key=lambda number: -strengths[number])
    for part in _parts(scaled, flux, ivar, folds, order, s2, conditions, progress):
        for fold, (normal, moment, alive) in enumerate(part.systems):
            found, sweeps = np.zeros(moment.shape), SWEEPS
            for number in falling:
                same = np.full(len(moment), float(strengths[number]))
                found = optimum(normal, moment, same, part.conditions.bounds, found, sweeps=sweeps)
                theta[number, fold, part.pixels[alive][:, None], part.terms] = found[alive]
                sweeps = 0
    return theta[:, 0] if folds is None else theta


class _System(NamedTuple):
    """Normal equations of a part's pixels without one fold; the unit matrix and 0 for pixels that are not alive."""

    normal: Floats  # (p, t, t)
    moment: Floats  # (p, t)
    alive: Bools  # (p,)


class _Part(NamedTuple):
    """Some pixels, which have the same terms."""

    pixels: Indices  # (p,)
    allowed: Bools  # (T,)
    conditions: Conditions
    systems: list[_System]  # one for each fold

    @property
    def terms(self) -> Indices:
        """Which of all terms these are, shape (t,)."""
        return np.flatnonzero(self.allowed)


def _parts(
    scaled: Floats,
    flux: Floats,
    ivar: Floats,
    folds: Indices | None,
    order: int,
    s2: Floats,
    conditions: Conditions,
    progress: ProgressCallback | None,
) -> Iterator[_Part]:
    """All pixels, a few at a time."""
    stars, segments = _segments(len(flux), folds)
    present = np.asarray(ivar.any(axis=1))[stars]
    equations = NormalEquations.of_labels(scaled[stars], order)
    memory, done = Memory(len(flux), min(BLOCK, flux.shape[1])), 0
    for pixels, terms in conditions.groups(equations.n_terms):
        group, group_conditions = equations.subset(terms), conditions.of_terms(terms)
        for start in range(0, len(pixels), BLOCK):
            chosen = pixels[start : start + BLOCK]
            here = group_conditions.of_pixels(chosen)
            block = PixelBlock(group, flux, ivar, chosen, least=0, conditions=here, memory=memory, stars=stars)
            yield _Part(chosen, terms, here, _systems(block, s2[chosen], segments, present, whole=folds is None))
            done += len(chosen)
            if progress is not None:
                progress(done, len(s2))


def _segments(n_stars: int, folds: Indices | None) -> tuple[Indices, list[slice]]:
    """An order of the stars in which each fold's stand together, and where they are."""
    if folds is None:
        return np.arange(n_stars), [slice(0, n_stars)]
    stars = np.argsort(folds, kind="stable")
    ends = np.searchsorted(folds[stars], np.arange(int(folds.max()) + 2))
    return stars, [slice(*pair) for pair in pairwise(ends.tolist())]


def _systems(block: PixelBlock, s2: Floats, segments: list[slice], present: Bools, *, whole: bool) -> list[_System]:
    """Normal equations without each segment's stars, or, for the `whole`, of all."""
    equations = block.equations
    block.weigh(s2)
    sums = [block.weight[:, part] @ equations.products[part] for part in segments]
    moments = [block.spare[:, part] @ equations.design[part] for part in segments]
    counts = [np.count_nonzero(block.weight[:, part], axis=1) for part in segments]
    stars = [int(np.count_nonzero(present[part])) for part in segments]
    if whole:
        return [_system(block, sums[0], moments[0], counts[0], stars[0])]
    total = (sum(sums), sum(moments), sum(counts), sum(stars))
    return [
        _system(block, *(all_stars - fold for all_stars, fold in zip(total, one, strict=True)))
        for one in zip(sums, moments, counts, stars, strict=True)
    ]


def _system(block: PixelBlock, sums: Floats, moment: Floats, counts: Indices, n_stars: int) -> _System:
    normal = block.equations.matrices(sums)
    alive: Bools = counts >= least_stars(n_stars, len(moment[0]))
    normal[~alive] = np.eye(len(moment[0]))
    alive &= ~undetermined(normal)
    normal[~alive], moment = np.eye(len(moment[0])), np.where(alive[:, None], moment, 0.0)
    return _System(normal, moment, alive)


def _check(s2: Floats, folds: Indices | None, shape: tuple[int, ...]) -> None:
    if s2.shape != shape[1:] or not (s2 >= 0.0).all():
        raise ValueError(f"s2: expected shape {shape[1:]}, every value 0 or more, got shape {s2.shape}.")
    if folds is not None and (folds.shape != shape[:1] or folds.min() < 0):
        raise ValueError(f"folds: expected shape {shape[:1]}, every value 0 or more, got shape {folds.shape}.")
