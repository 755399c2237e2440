"""The covariance beyond the formal one: found again where it was put in, whatever the formal errors are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from apogee_labels.cannon.noise.empirical_errors import MARGIN, OUTLIER, beyond_formal
from apogee_labels.core.arrays import Floats

UNITS = np.array([20.0, 0.05, 0.02])
CORRELATED = np.array([[1.0, 0.6, -0.3], [0.6, 1.5, 0.0], [-0.3, 0.0, 0.5]]) * UNITS[:, None] * UNITS


def make_formal(rng: np.random.Generator, count: int, n_labels: int = 3) -> Floats:
    """Formal covariances that differ by a factor of 400, each with correlations of its own."""
    roots = rng.normal(size=(count, n_labels, n_labels)) * UNITS[:n_labels, None]
    size = np.exp(rng.uniform(np.log(0.05), np.log(20.0), count))
    return roots @ np.swapaxes(roots, 1, 2) * size[:, None, None] / n_labels


def draw(rng: np.random.Generator, covariance: Floats) -> Floats:
    root = np.linalg.cholesky(covariance)
    return (root @ rng.normal(size=(*covariance.shape[:2], 1)))[..., 0]


def correlation(matrix: Floats) -> Floats:
    size = np.sqrt(np.diag(CORRELATED))
    return matrix / size[:, None] / size


def test_what_was_put_in_is_found() -> None:
    rng = np.random.default_rng(1)
    formal = make_formal(rng, 3000)
    found = beyond_formal(draw(rng, formal + CORRELATED), formal) / MARGIN**2
    np.testing.assert_allclose(correlation(found), correlation(CORRELATED), atol=0.08)


def test_it_is_the_most_likely_one() -> None:
    """A general optimiser finds no covariance that makes the residuals more likely."""
    rng = np.random.default_rng(2)
    formal = make_formal(rng, 300, 2)
    residuals = draw(rng, formal + CORRELATED[:2, :2])
    scale = UNITS[:2]

    def surprise(triangle: Floats) -> float:
        root = np.array([[triangle[0], 0.0], [triangle[1], triangle[2]]]) * scale[:, None]
        total = formal + root @ root.T
        return float(
            (np.linalg.slogdet(total)[1] + np.einsum("ni,nij,nj->n", residuals, np.linalg.inv(total), residuals)).sum()
        )

    best = minimize(surprise, [1.0, 0.3, 1.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8})
    found = beyond_formal(residuals, formal) / MARGIN**2
    triangle = np.linalg.cholesky(found / scale[:, None] / scale)
    assert surprise(np.array([triangle[0, 0], triangle[1, 0], triangle[1, 1]])) == pytest.approx(best.fun, abs=0.01)


def test_formal_errors_that_are_right_leave_nearly_none() -> None:
    rng = np.random.default_rng(3)
    formal = make_formal(rng, 2000)
    found = beyond_formal(draw(rng, formal), formal)
    assert (np.sqrt(np.diag(found)) < 0.1 * UNITS).all()
    assert np.linalg.eigvalsh(found / UNITS[:, None] / UNITS)[0] > -1e-12


def test_formal_errors_that_are_too_large_make_no_negative_variance() -> None:
    rng = np.random.default_rng(4)
    formal = make_formal(rng, 500)
    found = beyond_formal(draw(rng, formal), 4.0 * formal)
    assert np.linalg.eigvalsh(found / UNITS[:, None] / UNITS)[0] > -1e-12
    assert (np.sqrt(np.diag(found)) < 0.1 * UNITS).all()


def test_no_formal_errors_at_all_leave_the_whole_covariance() -> None:
    residuals = draw(np.random.default_rng(5), np.tile(CORRELATED, (400, 1, 1)))
    found = beyond_formal(residuals, np.zeros((400, 3, 3)))
    np.testing.assert_allclose(
        found, MARGIN**2 * residuals.T @ residuals / 400, rtol=1e-2, atol=1e-3 * np.abs(found).min()
    )


def test_a_wrong_training_label_does_not_count() -> None:
    rng = np.random.default_rng(6)
    formal = make_formal(rng, 1000)
    residuals = draw(rng, formal + CORRELATED)
    expected = beyond_formal(residuals, formal)
    residuals[[3, 500], [0, 2]] = [300.0 * UNITS[0], -1e3 * UNITS[2]]
    np.testing.assert_allclose(correlation(beyond_formal(residuals, formal)), correlation(expected), atol=0.03)
    assert OUTLIER * np.sqrt(CORRELATED[0, 0]) < 300.0 * UNITS[0]


def test_one_label() -> None:
    rng = np.random.default_rng(7)
    formal = rng.uniform(0.1, 20.0, (3000, 1, 1))
    found = beyond_formal(np.sqrt(formal[:, :, 0] + 4.0) * rng.normal(size=(3000, 1)), formal)
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(4.0 * MARGIN**2, rel=0.15)


def test_stars_without_labels_are_left_out() -> None:
    rng = np.random.default_rng(8)
    formal = make_formal(rng, 200)
    residuals = draw(rng, formal + CORRELATED)
    expected = beyond_formal(residuals[4:], formal[4:])
    residuals[0], residuals[1, 2], formal[2], formal[3, 0, 1] = np.nan, np.inf, np.nan, np.nan
    np.testing.assert_array_equal(beyond_formal(residuals, formal), expected)


def test_no_star_says_nothing() -> None:
    np.testing.assert_array_equal(beyond_formal(np.full((5, 3), np.nan), np.zeros((5, 3, 3))), np.zeros((3, 3)))
    np.testing.assert_array_equal(beyond_formal(np.empty((0, 2)), np.empty((0, 2, 2))), np.zeros((2, 2)))


def test_units_of_the_labels_do_not_matter() -> None:
    rng = np.random.default_rng(9)
    formal = make_formal(rng, 300)
    residuals = draw(rng, formal + CORRELATED)
    units = np.array([1e-3, 1e4, 1.0])
    scaled = beyond_formal(residuals * units, formal * units[:, None] * units)
    np.testing.assert_allclose(scaled, beyond_formal(residuals, formal) * units[:, None] * units, rtol=1e-7, atol=1e-12)


def test_labels_that_are_exactly_right() -> None:
    assert not beyond_formal(np.zeros((50, 3)), np.tile(CORRELATED, (50, 1, 1))).any()
