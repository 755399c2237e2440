"""How well single visits of the same star agree: the error that a label really has, against signal-to-noise.

Two visits of a star have the same true labels, so their difference d is free of whatever the training labels have wrong.
Where the errors e are right, d / sqrt(e_1^2 + e_2^2) has unit variance, and rms(d) / sqrt(2) is the error of a single
visit, as Casey et al. (2016) measured it.  Errors that the visits share, such as those of the coefficients, cancel in d.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apogee_labels.core.arrays import Floats, Indices

LEAST = 10
"""Fewest values of a bin in signal-to-noise: the rms of 10 is known to a quarter."""

_STEP = 0.1  # dex: width of a bin that needs no neighbour


@dataclass(frozen=True, eq=False)
class Repeats:
    """Differences of the labels of M pairs of visits, each pair of one star."""

    difference: Floats
    """The later row less the earlier one, shape (M, L), in the labels' units."""
    expected_error: Floats
    """Error of the difference by the visits' errors, sqrt(e_1^2 + e_2^2), shape (M, L)."""
    snr: Floats
    """The lower signal-to-noise ratio of the two, shape (M,)."""
    star: NDArray[Any]
    """Whose visits they are, shape (M,)."""

    def __len__(self) -> int:
        return len(self.difference)


class SnrScatter(NamedTuple):
    """What single visits scatter by, in B bins of signal-to-noise."""

    snr: Floats
    """Median of the pairs' signal-to-noise ratios, shape (B,)."""
    rms: Floats
    """rms difference / sqrt(2), shape (B, L): the error of one visit as the visits tell it."""
    expected: Floats
    """rms expected error / sqrt(2), shape (B, L): the same as the visits' errors tell it."""
    n_pairs: Indices
    """Pairs of each bin, shape (B,)."""


@dataclass(frozen=True, eq=False)
class SnrBins:
    """Bins of a tenth of a dex in signal-to-noise, joined until each holds enough.

    Parameters
    ----------
    index
        Bin of each value, shape (M,).
    edges
        Shape (B + 1,), rising; empty without a bin.
    """

    index: Indices
    edges: Floats

    @classmethod
    def of(cls, snr: Floats, least: int = LEAST) -> SnrBins:
        """Bins for ratios of shape (M,), all positive; none when there are fewer than `least`."""
        cell = np.floor(np.log10(snr) / _STEP).astype(np.intp)
        cells, counts = np.unique(cell, return_counts=True)
        if len(snr) < max(least, 1):
            return cls(np.zeros(len(snr), dtype=np.intp), np.empty(0))
        edges, total = [cells[0]], 0
        for position, count in zip(cells, counts, strict=True):
            total += count
            if total >= least:
                edges.append(position + 1)
                total = 0
        edges[-1] = cells[-1] + 1  # what is left over joins the last bin
        return cls(np.searchsorted(edges, cell, side="right") - 1, 10.0 ** (_STEP * np.array(edges)))

    def __len__(self) -> int:
        return max(len(self.edges) - 1, 0)

    @property
    def count(self) -> Indices:
        """Values of each bin, shape (B,)."""
        return np.bincount(self.index, minlength=len(self))[: len(self)]

    def reduce(self, values: Floats, statistic: Callable[[Floats], Floats]) -> Floats:
        """`statistic` over the first axis of each bin's rows: (M, ...) becomes (B, ...)."""
        parts = [statistic(values[self.index == position]) for position in range(len(self))]
        return np.array(parts) if parts else np.empty((0, *values.shape[1:]))


def repeat_differences(
    labels: ArrayLike, errors: ArrayLike, snr: ArrayLike, star: ArrayLike, *, consecutive: bool = False
) -> Repeats:
    """Differences of the labels of a star's visits, for all stars with two visits or more.

    Parameters
    ----------
    labels, errors
        Of V visits, shape (V, L), in the labels' units.
    snr
        Shape (V,).
    star
        Identifiers, shape (V,): visits of one star have equal ones.
    consecutive
        Only pairs of neighbours in the order given, so that a star of many visits does not count by their square;
        default: all pairs.

    Returns
    -------
    Repeats
        By star, and within a star by the distance of the visits in the order given.  A visit with a label, error or
        ratio that is not finite, or with a ratio that is not positive, is left out.

    Raises
    ------
    ValueError
        The shapes do not agree.
    """
    values, sigma = (np.asarray(array, dtype=np.float64) for array in (labels, errors))
    ratio, name = np.asarray(snr, dtype=np.float64), np.asarray(star)
    if values.ndim != 2 or sigma.shape != values.shape or ratio.shape != values.shape[:1] or name.shape != ratio.shape:
        raise ValueError(
            "expected labels and errors of one shape (V, L), snr and star of shape (V,), "
            f"got {values.shape}, {sigma.shape}, {ratio.shape}, {name.shape}."
        )
    good = np.isfinite(values).all(axis=1) & np.isfinite(sigma).all(axis=1) & np.isfinite(ratio) & (ratio > 0.0)
    rows = np.flatnonzero(good)
    rows = rows[np.argsort(name[rows], kind="stable")]
    first, second = _pairs(name[rows], consecutive=consecutive)
    first, second = rows[first], rows[second]
    return Repeats(
        difference=values[second] - values[first],
        expected_error=np.hypot(sigma[first], sigma[second]),
        snr=np.minimum(ratio[first], ratio[second]),
        star=name[first],
    )


def scatter_by_snr(repeats: Repeats, *, least: int = LEAST) -> SnrScatter:
    """What single visits scatter by, against signal-to-noise, in bins of at least `least` pairs."""
    bins = SnrBins.of(repeats.snr, least)
    return SnrScatter(
        snr=bins.reduce(repeats.snr, median),
        rms=bins.reduce(repeats.difference, rms) / np.sqrt(2.0),
        expected=bins.reduce(repeats.expected_error, rms) / np.sqrt(2.0),
        n_pairs=bins.count,
    )


def rms(values: Floats) -> Floats:
    """Root of the mean square over the first axis: (n, ...) becomes (...)."""
    return np.asarray(np.sqrt(np.mean(np.square(values), axis=0)))


def median(values: Floats) -> Floats:
    """Median over the first axis: (n, ...) becomes (...)."""
    return np.asarray(np.median(values, axis=0))


def _pairs(star: NDArray[Any], *, consecutive: bool) -> tuple[Indices, Indices]:
    """Positions of the pairs of equal neighbours, next neighbours, and so on; `star` is sorted."""
    firsts, distances = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    for distance in range(1, 2 if consecutive else len(star)):
        found = np.flatnonzero(star[distance:] == star[:-distance])
        if not found.size:
            break
        firsts.append(found)
        distances.append(np.full(len(found), distance))
    first, apart = np.concatenate(firsts), np.concatenate(distances)
    order = np.lexsort((first, apart, np.searchsorted(star, star[first])))
    return first[order], (first + apart)[order]
