"""Whether labels lie among those of the training set.

For few labels the question is exact: the convex hull of the training labels, as the half-spaces of its facets.  The
number of facets grows so fast with the labels, and with the stars, that beyond some thousands a distance takes its
place: that of Mahalanobis from the middle of the training labels, compared with that of all but one in a thousand of the
training stars.  Middle and scatter are those of the stars that are left when the farthest are taken out, for one star
with a wrong label would be enough to make any other seem near (trimmed covariance, Rousseeuw & Leroy 1987, ch. 7).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apogee_labels.core.arrays import Bools, Floats

EXACT_LABELS = 5
"""Labels up to which the hull is exact, unless it has too many facets."""

MOST_FACETS = 5_000
"""Facets up to which the hull is exact; 5 labels have as many with about 1,000 stars (even) to 5,000 (normal)."""

CORE, ROUNDS = 0.99, 2
"""Share of the stars that middle and scatter are taken from, and how often the farthest are chosen again."""

AMONG = 0.999
"""Share of the training stars that the distance counts as inside."""

FEW_STARS = 10
"""Stars for each label up to which none is left out: of so few the farthest need not be wild."""

BLOCK_BYTES = 16_000_000
"""Memory for what points have to do with facets."""

_ROUNDING = 1e-9
_FIRST = 1_000  # stars of the first hull that is tried


class LabelHull:
    """Where the training labels are.

    Parameters
    ----------
    labels
        Scaled labels of the training stars, shape (N, L).

    Attributes
    ----------
    exact
        Whether it is the convex hull.  Else, with more than ``EXACT_LABELS`` labels, more than ``MOST_FACETS`` facets,
        or stars that span no volume, it is the distance, and a training star in a thousand (one at least, with more
        than ``FEW_STARS`` a label) is outside itself.
    """

    def __init__(self, labels: Floats) -> None:
        self._middle, self._limit = _middle(labels)
        facets = _facets(labels, self._middle) if labels.shape[1] <= EXACT_LABELS else None
        self.exact = facets is not None
        if facets is not None:
            self._normals, self._offsets = facets
            self._limit = self._inscribed()

    def outside(self, labels: Floats) -> Bools:
        """Which of the labels, shape (n, L), lie outside; NaN is not outside."""
        beyond = np.asarray(self._middle.distance(labels) > self._limit)
        if self.exact:
            beyond[beyond] = self._beyond_a_facet(labels[beyond])
        return beyond

    def _beyond_a_facet(self, labels: Floats) -> Bools:
        size = max(BLOCK_BYTES // (8 * len(self._normals)), 1)
        above = np.empty((min(size, len(labels)), len(self._normals)))
        farthest = np.empty(len(labels))
        for start in range(0, len(labels), size):
            points = labels[start : start + size]
            block = np.matmul(points, self._normals.T, out=above[: len(points)])
            block += self._offsets
            block.max(axis=1, out=farthest[start : start + size])
        return np.asarray(farthest > _ROUNDING)

    def _inscribed(self) -> float:
        """Distance within which all is inside: an ellipsoid that touches the nearest facet; most points need no more."""
        if np.linalg.matrix_rank(self._middle.scatter) < len(self._middle.centre):
            return -1.0  # the distance tells nothing across the stars' plane
        depth = -(self._normals @ self._middle.centre + self._offsets)
        reach = np.einsum("fk,kl,fl->f", self._normals, self._middle.scatter, self._normals)
        return float((np.maximum(depth, 0.0) ** 2 / reach).min() * (1.0 - _ROUNDING))


class _Middle(NamedTuple):
    """Where most of the training labels are."""

    centre: Floats  # (L,)
    scatter: Floats  # (L, L)
    inverse: Floats  # (L, L)

    def distance(self, labels: Floats) -> Floats:
        """Square of that of Mahalanobis, shape (n,)."""
        apart = labels - self.centre
        return np.asarray(np.einsum("nk,nk->n", apart @ self.inverse, apart))


def _middle(labels: Floats) -> tuple[_Middle, float]:
    """The middle of the labels, and the greatest distance from it that is among them."""
    many = len(labels) > FEW_STARS * labels.shape[1]
    middle = _middle_of(labels)
    for _ in range(ROUNDS if many else 0):
        distance = middle.distance(labels)
        core = _middle_of(labels[distance <= np.quantile(distance, CORE, method="lower")])
        if np.linalg.matrix_rank(core.scatter) < np.linalg.matrix_rank(middle.scatter):
            break  # the distance would not see a label in which only the farthest differ
        middle = core
    farthest = np.quantile(middle.distance(labels), AMONG if many else 1.0, method="lower")
    return middle, float(farthest) * (1.0 + _ROUNDING)


def _middle_of(labels: Floats) -> _Middle:
    scatter = np.atleast_2d(np.cov(labels, rowvar=False))
    return _Middle(np.median(labels, axis=0), scatter, np.asarray(np.linalg.pinv(scatter, hermitian=True), np.float64))


def _facets(labels: Floats, middle: _Middle) -> tuple[Floats, Floats] | None:
    """Outward normals (F, L) and offsets (F,) of the half-spaces that bound the hull; None: too many, or no volume.

    The hull of the outermost stars is tried first: where it has too many facets, that of all would take too long.
    """
    if labels.shape[1] == 1:
        return np.array([[1.0], [-1.0]]), np.array([-labels.max(), labels.min()])
    from scipy.spatial import ConvexHull, QhullError

    outermost = labels[np.argsort(-middle.distance(labels), kind="stable")]
    size = _FIRST
    while True:
        try:
            equations = ConvexHull(outermost[:size]).equations
        except QhullError:  # a part of the stars may be flat
            equations = np.empty((0, labels.shape[1] + 1))
        if len(equations) > MOST_FACETS:
            return None
        if size >= len(labels):
            return (equations[:, :-1], equations[:, -1]) if len(equations) else None
        size *= 4
