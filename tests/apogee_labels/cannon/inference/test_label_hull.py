"""The hull of the training labels against a triangulation, and the distance that stands for it where labels are many."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Delaunay

import apogee_labels.cannon.inference.label_hull as module
from apogee_labels.cannon.inference.label_hull import EXACT_LABELS, LabelHull
from apogee_labels.core.arrays import Floats


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


def by_distance(labels: Floats, points: Floats) -> list[bool]:
    """Star by star: beyond all training stars but one in a thousand, in the scatter of the inner 99 in a hundred."""

    def distances(kept: Floats, those: Floats) -> list[float]:
        apart = those - np.median(kept, axis=0)
        return [float(one @ np.linalg.solve(np.cov(kept.T), one)) for one in apart]

    kept, count = labels, len(labels)
    for _ in range(2):
        order = np.argsort(distances(kept, labels))
        kept = labels[order[: int(0.99 * (count - 1)) + 1]]
    limit = sorted(distances(kept, labels))[int(0.999 * (count - 1))]
    return [distance > limit for distance in distances(kept, points)]


def test_many_labels_by_their_distance() -> None:
    labels, points = make_labels(EXACT_LABELS + 3)
    hull = LabelHull(labels)
    assert not hull.exact
    expected = by_distance(labels, points)
    assert 10 < sum(expected) < 290
    assert hull.outside(points).tolist() == expected
    assert np.count_nonzero(hull.outside(labels)) == 1


def test_one_wild_star_does_not_make_others_near() -> None:
    labels, points = make_labels(EXACT_LABELS + 3)
    before = LabelHull(labels).outside(points)
    labels[17] = 1e3
    hull = LabelHull(labels)
    assert np.count_nonzero(hull.outside(points) != before) < 15
    assert hull.outside(labels[17:18]).all()


def test_a_label_in_which_only_the_farthest_differ_counts() -> None:
    labels, _ = make_labels(EXACT_LABELS + 1)
    labels[:, 0] = 0.0
    labels[:2] = 10.0 * np.abs(labels[:2]).max()
    labels[1, 0] *= 2.0
    point = labels[50].copy()
    assert not LabelHull(labels).outside(point[None])[0]
    point[0] = 100.0
    assert LabelHull(labels).outside(point[None])[0]


def test_stars_that_are_nearly_in_a_plane() -> None:
    labels, _ = make_labels(3)
    labels[:, 2] *= 1e-9
    hull = LabelHull(labels)
    assert hull.exact
    assert hull.outside(0.1 * labels + [0.0, 0.0, 1e-4]).all()
    assert not hull.outside(0.1 * labels).any()


def test_of_few_stars_none_is_outside() -> None:
    labels, _ = make_labels(EXACT_LABELS + 1, count=60)
    assert not LabelHull(labels).outside(labels).any()


@pytest.mark.parametrize("first", [1_000, 20])
def test_a_hull_of_too_many_facets_is_a_distance(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    labels, points = make_labels(4)
    facets = len(ConvexHull(labels).equations)
    monkeypatch.setattr(module, "_FIRST", first)
    monkeypatch.setattr(module, "MOST_FACETS", facets)
    assert LabelHull(labels).exact
    monkeypatch.setattr(module, "MOST_FACETS", facets - 1)
    hull = LabelHull(labels)
    assert not hull.exact
    assert hull.outside(points).tolist() == by_distance(labels, points)


def test_a_hull_that_would_take_long_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 stars on a sphere have half a million facets: the first hulls tell."""
    import scipy.spatial

    labels = np.random.default_rng(2).normal(size=(20_000, 5))
    labels /= np.linalg.norm(labels, axis=1, keepdims=True)
    sizes: list[int] = []

    def hull_of(points: Floats) -> ConvexHull:
        sizes.append(len(points))
        return ConvexHull(points)

    monkeypatch.setattr(scipy.spatial, "ConvexHull", hull_of)
    assert not LabelHull(labels).exact
    assert sizes == [1_000]


def test_outermost_stars_in_a_plane_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, points = make_labels(3)
    ring = 10.0 * np.array([[np.cos(t), np.sin(t), 0.0] for t in np.linspace(0.0, 6.0, 20)])
    labels = np.vstack([labels, ring])
    monkeypatch.setattr(module, "_FIRST", 20)
    hull = LabelHull(labels)
    assert hull.exact
    points = np.vstack([points, 3.0 * points, 8.0 * points])
    np.testing.assert_array_equal(hull.outside(points), Delaunay(labels).find_simplex(points) < 0)


@pytest.mark.parametrize("block", [1, 10_000])
def test_blocks_and_the_ellipsoid_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    labels, points = make_labels(4)
    hull = LabelHull(labels)
    expected = (points @ hull._normals.T + hull._offsets > 1e-9).any(axis=1)
    near = hull._middle.distance(points) <= hull._limit
    assert 30 < np.count_nonzero(near) < 270
    assert not expected[near].any()
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    np.testing.assert_array_equal(hull.outside(points), expected)


def test_memory_is_bounded() -> None:
    labels = np.random.default_rng(1).uniform(-0.5, 0.5, (700, 5))
    hull = LabelHull(labels)
    assert hull.exact
    points = np.tile(1.2 * labels, (3, 1))
    tracemalloc.start()
    hull.outside(points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(points) * len(hull._normals) * 8 > 50e6
    assert peak < 20e6


@pytest.mark.parametrize("n_labels", [1, 3, EXACT_LABELS, EXACT_LABELS + 1, 17])
def test_training_stars_and_what_lies_between_them_are_inside(n_labels: int) -> None:
    labels, _ = make_labels(n_labels)
    hull = LabelHull(labels)
    assert np.count_nonzero(hull.outside(labels)) == (n_labels > EXACT_LABELS)
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
