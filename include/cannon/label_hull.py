"""Whether labels lie among those of the training set.

For few labels the question is exact: the convex hull of the training labels, as the half-spaces of its facets.  The
number of facets grows so fast with the labels that for many of them a distance takes its place: that of Mahalanobis from
the training labels' mean, in their own covariance, compared with the training star that is farthest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EXACT_LABELS = 5
"""Labels up to which the hull is exact."""

_ROUNDING = 1e-9


class LabelHull:
    """Where the training labels are.

    Parameters
    ----------
    labels
        Scaled labels of the training stars, shape (N, L).
    """

    def __init__(self, labels: Floats) -> None:
        self.exact = labels.shape[1] <= EXACT_LABELS and len(labels) > labels.shape[1] + 1
        if self.exact:
            self._normals, self._offsets = _facets(labels)
        else:
            self._centre = labels.mean(axis=0)
            self._inverse = np.linalg.pinv(np.atleast_2d(np.cov(labels, rowvar=False)))
            self._farthest = self._distance(labels).max()

    def outside(self, labels: Floats) -> Bools:
        """Which of the labels, shape (n, L), lie outside; NaN is not outside."""
        if not self.exact:
            return np.asarray(self._distance(labels) > self._farthest * (1.0 + _ROUNDING))
        return np.asarray((labels @ self._normals.T + self._offsets > _ROUNDING).any(axis=1))

    def _distance(self, labels: Floats) -> Floats:
        apart = labels - self._centre
        return np.asarray(np.einsum("nk,kl,nl->n", apart, self._inverse, apart))


def _facets(labels: Floats) -> tuple[Floats, Floats]:
    """Outward normals (F, L) and offsets (F,) of the half-spaces that bound the hull."""
    if labels.shape[1] == 1:
        return np.array([[1.0], [-1.0]]), np.array([-labels.max(), labels.min()])
    from scipy.spatial import ConvexHull

    equations = ConvexHull(labels).equations
    return equations[:, :-1], equations[:, -1]
