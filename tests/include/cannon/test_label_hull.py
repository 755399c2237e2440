"""The hull of the training labels against a triangulation, and the distance that stands for it where labels are many."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from include.cannon.label_hull import EXACT_LABELS, LabelHull

Floats = NDArray[np.float64]


def make_labels(n_labels: int, *, count: int = 300, seed: int = 3) -> list[Floats]:
    """Correlated training labels, and points of which some are among them."""
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(rng.normal(size=(n_labels, n_labels)))[0] * np.geomspace(0.1, 0.5, n_labels)
    return [size * rng.normal(size=(count, n_labels)) @ mixing for size in (1.0, 1.5)]


@pytest.mark.parametrize("n_labels", [2, 3, 5])
def test_outside_is_in_no_simplex(n_labels: int) -> None:
    labels, points = make_labels(n_labels)
    hull = LabelHull(labels)
    assert hull.exact
    expected = Delaunay(labels).find_simplex(points) < 0
    assert 10 < np.count_nonzero(expected) < 290
    np.testing.assert_array_equal(hull.outside(points), expected)


def test_one_label_has_two_ends() -> None:
    labels, points = make_labels(1)
    expected = (points[:, 0] < labels.min()) | (points[:, 0] > labels.max())
    assert expected.any()
    np.testing.assert_array_equal(LabelHull(labels).outside(points), expected)


def test_many_labels_by_their_distance() -> None:
    labels, points = make_labels(EXACT_LABELS + 3)
    hull = LabelHull(labels)
    assert not hull.exact

    def distance(point: Floats) -> float:
        apart = point - labels.mean(axis=0)
        return float(apart @ np.linalg.solve(np.cov(labels.T), apart))

    farthest = max(distance(star) for star in labels)
    expected = [distance(point) > farthest for point in points]
    assert 10 < sum(expected) < 290
    assert hull.outside(points).tolist() == expected


@pytest.mark.parametrize("n_labels", [1, 3, EXACT_LABELS, EXACT_LABELS + 1, 17])
def test_training_stars_and_what_lies_between_them_are_inside(n_labels: int) -> None:
    labels, _ = make_labels(n_labels)
    hull = LabelHull(labels)
    assert not hull.outside(labels).any()
    assert not hull.outside(0.5 * (labels + labels[::-1])).any()
    away = labels - labels.mean(axis=0)
    assert hull.outside(100.0 * away / np.linalg.norm(away, axis=1, keepdims=True)).all()


@pytest.mark.parametrize("n_labels", [1, 3, EXACT_LABELS + 1])
def test_what_is_not_a_number_is_not_outside(n_labels: int) -> None:
    hull = LabelHull(make_labels(n_labels)[0])
    assert hull.outside(np.full((2, n_labels), np.nan)).tolist() == [False, False]
    assert hull.outside(np.empty((0, n_labels))).shape == (0,)


def test_fewer_stars_than_a_simplex_needs() -> None:
    """Three stars and three labels: no volume, but their distance from each other says something."""
    labels = np.array([[0.0, 0.0, 0.0], [1.0, 0.2, 0.0], [0.3, 1.0, 0.1]])
    hull = LabelHull(labels)
    assert not hull.exact
    assert not hull.outside(labels).any()
