"""What formal errors miss: the covariance that the labels of held-out stars have beyond the formal one.

A star's error is e = formal + beyond, in covariances, with one `beyond` for all: N(0, C_i + B).  The difference of the
mean squares would follow the faintest stars, whose C_i is largest; maximum likelihood lets each star count for what it
says about B.  Noise of the training labels is in it, too: it cannot be told from noise of the labels inferred.

Stars of a survey are less alike than those of a training set, which has near twins (members of one cluster) on both sides
of a fold; a margin of some per cent stands for that.
"""

from __future__ import annotations

import numpy as np

from apogee_labels.core.arrays import Floats

OUTLIER = 10.0
"""Robust standard deviations beyond which a star is left out: a wrong training label, a binary."""

MARGIN = 1.05
"""Factor on the errors beyond the formal ones."""

MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

_STEPS, _PRECISION = 100, 1e-3


def beyond_formal(residuals: Floats, covariance: Floats) -> Floats:
    """Covariance of errors beyond the formal one, shape (L, L): never negative in any direction.

    Parameters
    ----------
    residuals
        Held-out less true labels, shape (n, L); rows that are not finite are left out.
    covariance
        Formal covariance of each, shape (n, L, L).
    """
    good = np.isfinite(residuals).all(axis=1) & np.isfinite(covariance).all(axis=(1, 2))
    residuals, covariance = residuals[good], covariance[good]
    if not len(residuals):
        return np.zeros((residuals.shape[1],) * 2)
    width = MAD * np.median(np.abs(residuals), axis=0)
    width[width == 0.0] = 1.0  # a label that is exactly right
    kept = (np.abs(residuals) <= OUTLIER * width).all(axis=1)
    unit, norm = residuals[kept] / width, width[:, None] * width  # labels of one size: K and dex in one matrix
    return MARGIN**2 * norm * _most_likely(unit, covariance[kept] / norm)


def _most_likely(residuals: Floats, covariance: Floats) -> Floats:
    """B that makes residuals of N(0, C_i + B) most likely, by expectation and maximisation."""
    beyond = residuals.T @ residuals / len(residuals)
    for _ in range(_STEPS):
        gain = np.linalg.solve(covariance + beyond, np.broadcast_to(beyond, covariance.shape))  # its transpose
        mean = np.einsum("nji,nj->ni", gain, residuals)
        rest = beyond - beyond @ gain.mean(axis=0)
        new = mean.T @ mean / len(mean) + 0.5 * (rest + rest.T)
        done = np.abs(new - beyond).max() <= _PRECISION * np.abs(beyond).max()
        beyond = new
        if done:
            break
    return beyond
