"""Batched solutions and inverses, with few terms and with many."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.training.solving import FEW_TERMS, free_terms, inverse, least_squares, placed, undetermined
from apogee_labels.core.arrays import Floats

SIZES = [6, FEW_TERMS + 8]


def make(size: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(51)
    design = rng.normal(size=(4, 3 * size, size))
    return np.einsum("pns,pnt->pst", design, design), rng.normal(size=(4, size))


def spoil(normal: Floats, *, by: float = 0.0) -> None:
    """Make two terms of the second matrix collinear, but for a share `by`."""
    normal[1, 3], normal[1, 3, 3] = normal[1, 2], normal[1, 2, 2]
    normal[1, :, 3] = normal[1, 3]
    normal[1, 3, 3] = normal[1, 2, 2] * (1.0 + by)


@pytest.mark.parametrize("size", SIZES)
def test_least_squares_solves(size: int) -> None:
    normal, moment = make(size)
    theta, singular = least_squares(normal.copy(), moment)
    np.testing.assert_allclose(np.einsum("pst,pt->ps", normal, theta), moment, rtol=1e-9, atol=1e-10)
    assert not singular.any()


@pytest.mark.parametrize("size", SIZES)
def test_singular_matrices_are_noticed(size: int) -> None:
    normal, moment = make(size)
    whole = least_squares(normal.copy(), moment)[0]
    spoil(normal)
    assert undetermined(normal).tolist() == [False, True, False, False]
    theta, singular = least_squares(normal, moment)
    assert singular.tolist() == [False, True, False, False]
    np.testing.assert_array_equal(theta[1], np.eye(1, size)[0])
    np.testing.assert_array_equal(normal[1], np.eye(size))
    np.testing.assert_allclose(np.delete(theta, 1, 0), np.delete(whole, 1, 0), rtol=1e-9)


@pytest.mark.parametrize("size", SIZES)
def test_nearly_collinear_terms_are_solved_for(size: int) -> None:
    normal, moment = make(size)
    spoil(normal, by=1e-9)
    theta, singular = least_squares(normal.copy(), moment)
    assert not singular.any()
    assert not undetermined(normal).any()
    np.testing.assert_allclose(normal[1] @ theta[1], moment[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_inverse_is_that_of_the_free_terms(size: int) -> None:
    normal, _ = make(size)
    np.testing.assert_allclose(inverse(normal), np.linalg.inv(normal), rtol=1e-8, atol=1e-12)
    free = np.random.default_rng(52).random((4, size)) < 0.6
    found = inverse(normal, free)
    for pixel in range(4):
        kept = np.ix_(free[pixel], free[pixel])
        np.testing.assert_allclose(found[pixel][kept], np.linalg.inv(normal[pixel][kept]), rtol=1e-8, atol=1e-12)
        assert not found[pixel][~free[pixel]].any()


def test_placed_among_all_terms() -> None:
    matrices = np.arange(1.0, 10.0).reshape(1, 3, 3)
    found = placed(matrices, np.array([True, False, True]))
    np.testing.assert_array_equal(found, [[[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [4.0, 0.0, 5.0]]])


def test_free_terms() -> None:
    theta, strength = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.5]]), np.array([1.0, 0.0])
    assert free_terms(theta, strength, None).tolist() == [[True, False, True], [True, True, True]]
    bounds = np.array([[-np.inf, np.inf], [0.0, 1.0], [-1.0, 1.0]])
    assert free_terms(theta, strength, bounds).tolist() == [[True, False, False], [True, False, True]]
