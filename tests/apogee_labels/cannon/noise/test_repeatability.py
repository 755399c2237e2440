"""What visits of the same star tell of the errors: every pair once, and pulls of 1 where the errors are right."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from apogee_labels.cannon.noise.repeatability import (
    LEAST,
    Repeats,
    SnrBins,
    median,
    repeat_differences,
    rms,
    scatter_by_snr,
)

SIGMA = np.array([900.0, 2.0])  # error of two labels, times S/N


def visits(
    seed: int, *, n_visits: int = 6000, n_stars: int = 2000
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, errors, ratios and stars of visits, shuffled; the stars' true labels differ by much more than the errors."""
    rng = np.random.default_rng(seed)
    star = rng.integers(0, n_stars, n_visits)
    snr = 10.0 ** rng.uniform(1.0, 2.3, n_visits)
    errors = SIGMA / snr[:, None]
    truth = rng.normal(size=(n_stars, 2)) * [500.0, 1.0]
    return truth[star] + errors * rng.normal(size=errors.shape), errors, snr, star


def test_all_pairs_are_those_of_the_obvious_loop() -> None:
    labels, errors, snr, star = visits(1, n_visits=60, n_stars=15)
    repeats = repeat_differences(labels, errors, snr, star)
    expected = [
        (star[i], labels[j] - labels[i], np.sqrt(errors[i] ** 2 + errors[j] ** 2), min(snr[i], snr[j]))
        for i, j in combinations(range(60), 2)
        if star[i] == star[j]
    ]
    assert len(repeats) == len(expected) > 60
    found = zip(repeats.star, repeats.difference, repeats.expected_error, repeats.snr, strict=True)
    for left, right in zip(sorted(found, key=_key), sorted(expected, key=_key), strict=True):
        assert left[0] == right[0]
        np.testing.assert_allclose(left[1], right[1])
        np.testing.assert_allclose(left[2], right[2])
        assert left[3] == right[3]
    assert list(repeats.star) == sorted(repeats.star)


def _key(pair: tuple[int, np.ndarray, np.ndarray, float]) -> tuple[int, float]:
    return pair[0], float(pair[1][0])


def test_consecutive_pairs_join_each_visit_to_the_next_in_the_order_given() -> None:
    star = np.array(["b", "a", "b", "b", "c", "a"])
    labels = np.array([[1.0], [10.0], [2.0], [4.0], [0.0], [17.0]])
    repeats = repeat_differences(labels, np.ones((6, 1)), np.arange(1.0, 7.0), star, consecutive=True)
    assert list(repeats.star) == ["a", "b", "b"]
    assert list(repeats.difference[:, 0]) == [7.0, 1.0, 2.0]
    assert list(repeats.snr) == [2.0, 1.0, 3.0]


@pytest.mark.parametrize("consecutive", [False, True])
def test_pulls_are_one_where_the_errors_are_right(consecutive: bool) -> None:
    repeats = repeat_differences(*visits(2), consecutive=consecutive)
    pulls = repeats.difference / repeats.expected_error
    assert len(repeats) > 3000
    assert np.abs(rms(pulls) - 1.0).max() < 0.04
    assert np.abs(pulls.mean(axis=0)).max() < 0.06


def test_visit_without_a_result_is_left_out() -> None:
    labels, errors, snr, star = visits(3, n_visits=8, n_stars=1)
    labels[1, 0], errors[2, 1], snr[3], snr[4] = np.nan, np.inf, np.nan, 0.0
    repeats = repeat_differences(labels, errors, snr, star)
    assert len(repeats) == 6  # of 4 visits
    assert np.isfinite(repeats.difference).all()
    kept = [0, 5, 6, 7]
    assert set(repeats.difference[:, 0]) == {labels[j, 0] - labels[i, 0] for i, j in combinations(kept, 2)}


def test_stars_seen_once_have_no_pairs_and_no_bins() -> None:
    repeats = repeat_differences(np.zeros((3, 2)), np.ones((3, 2)), np.ones(3), ["a", "b", "c"])
    assert len(repeats) == 0
    scatter = scatter_by_snr(repeats)
    assert scatter.rms.shape == (0, 2)
    assert scatter.n_pairs.shape == (0,)


@pytest.mark.parametrize(
    ("errors", "snr", "star"),
    [
        (np.ones((4, 1)), np.ones(4), np.ones(4)),
        (np.ones((4, 2)), np.ones(3), np.ones(4)),
        (np.ones((4, 2)), np.ones(4), np.ones((4, 1))),
    ],
)
def test_shapes_that_do_not_agree_are_refused(errors: np.ndarray, snr: np.ndarray, star: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected labels and errors of one shape \(V, L\).* got \(4, 2\)"):
        repeat_differences(np.ones((4, 2)), errors, snr, star)


def test_scatter_of_a_bin_is_the_error_of_a_visit_at_that_ratio() -> None:
    rng = np.random.default_rng(4)
    snr = np.repeat([30.0, 100.0], 4000)
    errors = SIGMA / snr[:, None]
    star = np.arange(8000) // 2
    repeats = repeat_differences(rng.normal(size=(8000, 2)) * errors, errors, snr, star)
    scatter = scatter_by_snr(repeats)
    assert list(scatter.n_pairs) == [2000, 2000]
    np.testing.assert_allclose(scatter.snr, [30.0, 100.0])
    np.testing.assert_allclose(scatter.expected, [SIGMA / 30.0, SIGMA / 100.0])
    np.testing.assert_allclose(scatter.rms, scatter.expected, rtol=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_bins_hold_enough_and_all(seed: int) -> None:
    snr = 10.0 ** np.random.default_rng(seed).normal(1.7, 0.5, 300)
    bins = SnrBins.of(snr)
    assert bins.count.min() >= LEAST
    assert bins.count.sum() == 300
    assert len(bins) > 5
    for position in range(len(bins)):
        inside = snr[bins.index == position]
        assert bins.edges[position] <= inside.min()
        assert inside.max() < bins.edges[position + 1]
    np.testing.assert_array_equal(bins.reduce(snr, median), [np.median(snr[bins.index == k]) for k in range(len(bins))])


def test_a_ratio_on_an_edge_is_counted_once() -> None:
    snr = np.repeat(10.0 ** (0.1 * np.arange(10, 24)), 10)
    bins = SnrBins.of(snr)
    assert bins.count.sum() == len(snr)
    assert bins.count.min() >= LEAST


def test_too_few_for_a_bin_make_none() -> None:
    repeats = Repeats(np.ones((9, 1)), np.ones((9, 1)), np.full(9, 50.0), np.arange(9))
    assert len(scatter_by_snr(repeats).snr) == 0
    assert list(scatter_by_snr(repeats, least=9).n_pairs) == [9]
