"""The batched minimiser against numpy and against functions whose minimum is known."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.inference.objective import Derivatives, PolynomialObjective
from apogee_labels.cannon.inference.optimisation import minimise, solve_definite
from apogee_labels.cannon.inference.quadratic_forms import QuadraticForms
from apogee_labels.core.arrays import Floats, Indices

WIDE = np.full(3, -100.0), np.full(3, 100.0)


def make_parabolas(minimum: Floats, seed: int = 1) -> PolynomialObjective:
    """Chi-square of order-1 models: (x - minimum)' A (x - minimum) + 5."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(len(minimum), 3, 5))
    a = root @ np.swapaxes(root, 1, 2)
    b = np.einsum("nij,nj->ni", a, minimum)
    c = np.einsum("ni,ni->n", minimum, b) + 5.0
    zeros = np.zeros(len(minimum), dtype=np.intp)
    return PolynomialObjective(QuadraticForms(a, b, c, c, np.empty((len(c), 0)), zeros, zeros), 3, 1)


def test_minima_of_parabolas() -> None:
    minimum = np.random.default_rng(2).normal(size=(7, 3))
    start = np.random.default_rng(3).normal(size=(7, 4, 3))
    found = minimise(make_parabolas(minimum), start, *WIDE)
    assert found.converged.all()
    np.testing.assert_allclose(found.x, np.broadcast_to(minimum[:, None], found.x.shape), atol=1e-6)
    np.testing.assert_allclose(found.value, 5.0)
    assert (found.n_iterations < 10).all()


def test_a_box_holds_the_minimum_inside() -> None:
    """The corner of the box at which the gradient points outwards along each held axis."""
    minimum = np.array([[3.0, 0.0, 0.0]])
    objective = make_parabolas(minimum)
    lower, upper = np.full(3, -1.0), np.full(3, 1.0)
    found = minimise(objective, np.zeros((1, 2, 3)), lower, upper)
    assert found.converged.all()
    gradient = objective.evaluate(found.x).gradient
    x = found.x
    free = (x > lower) & (x < upper)
    assert np.abs(gradient[free]).max(initial=0.0) < 1e-3
    assert (gradient[x >= upper] < 0).all()
    assert (gradient[x <= lower] > 0).all()
    assert (x >= upper).any()


def test_too_few_steps_do_not_converge() -> None:
    found = minimise(make_parabolas(np.full((1, 3), 50.0)), np.zeros((1, 1, 3)), *WIDE, max_iterations=1)
    assert not found.converged.any()


class Flat:
    """A function that is the same everywhere: nothing to find, and no step that helps."""

    def evaluate(self, x: Floats) -> Derivatives:
        return Derivatives(np.ones(x.shape[:2]), np.zeros(x.shape), np.zeros((*x.shape, x.shape[-1])))

    def take(self, rows: Indices) -> Flat:
        return self


def test_a_flat_function_ends() -> None:
    found = minimise(Flat(), np.zeros((2, 3, 3)), *WIDE)
    np.testing.assert_array_equal(found.x, 0.0)


@pytest.mark.parametrize("size", [1, 3, 17])
def test_small_systems_against_numpy(size: int) -> None:
    rng = np.random.default_rng(4)
    root = rng.normal(size=(6, 2, size, size + 2))
    matrix, right = root @ np.swapaxes(root, 2, 3), rng.normal(size=(6, 2, size))
    expected = np.linalg.solve(matrix, right[..., None])[..., 0]
    solution, definite = solve_definite(np.moveaxis(matrix, (2, 3), (0, 1)).copy(), np.moveaxis(right, 2, 0).copy())
    assert definite.all()
    np.testing.assert_allclose(solution, expected, rtol=1e-6)


def test_matrices_that_are_not_definite_are_told() -> None:
    matrix = np.stack([np.diag([1.0, -1.0]), np.diag([0.0, 1.0]), np.eye(2)], axis=-1)
    assert solve_definite(matrix, np.ones((2, 3)))[1].tolist() == [False, False, True]
