"""The search of one pixel: its steps, its conditions, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import apogee_labels.cannon.training.active_set as module
from apogee_labels.cannon.training.active_set import Penalty, objective, optimum, pull, rounding, solve_positive
from apogee_labels.cannon.training.lasso import unbounded
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.normal_problems import make_nearly_singular, make_problem, make_spectra

INFINITE = np.inf


@pytest.mark.parametrize(
    ("theta", "gradient", "expected"),
    [
        (1.0, 3.0, -5.0),  # beyond the kink the penalty adds to the gradient
        (-1.0, 3.0, -1.0),
        (-1.0, -3.0, 5.0),
        (0.0, 1.9, 0.0),  # the kink holds what is within the penalty
        (0.0, 2.5, -0.5),
        (0.0, -2.5, 0.5),
        (4.0, -9.0, 0.0),  # the upper bound holds all that would rise
        (4.0, 1.0, -3.0),
        (-3.0, 9.0, 0.0),
        (-3.0, -1.0, 3.0),
    ],
)
def test_pull_is_the_way_down(theta: float, gradient: float, expected: float) -> None:
    penalty = Penalty(np.array([2.0]), np.array([-3.0]), np.array([4.0]))
    assert pull(np.array([gradient]), penalty, np.array([theta]))[0] == expected


def test_the_objective_falls_with_every_step() -> None:
    normal, moment = make_spectra(1, 8)
    penalty = unbounded(np.array(100.0), 45)
    search = module._Search(normal[0], moment[0], penalty, np.eye(1, 45)[0])
    values = [objective(normal[0], moment[0], penalty, search.theta)]
    for _ in range(100):
        if search.advance() and not search.release():
            break
        values.append(objective(normal[0], moment[0], penalty, search.theta))
    assert 3 < len(values) < 50
    assert (np.diff(values) <= 1e-12 * abs(values[0])).all()
    assert search.excess <= 1.0


def test_a_full_step_solves_for_what_is_free() -> None:
    normal, moment = make_problem(1, 6)
    penalty = Penalty(np.zeros(6), np.full(6, -INFINITE), np.full(6, INFINITE))
    np.testing.assert_allclose(
        optimum(normal[0], moment[0], penalty, np.zeros(6)), np.linalg.solve(normal[0], moment[0])
    )


def test_far_starts_end_where_near_ones_do() -> None:
    normal, moment = make_problem(1, 30, seed=5)
    penalty = unbounded(np.array(15.0), 30)
    near = optimum(normal[0], moment[0], penalty, np.zeros(30))
    far = optimum(normal[0], moment[0], penalty, 1e6 * np.random.default_rng(6).normal(size=30))
    np.testing.assert_allclose(near, far, atol=1e-9)


@pytest.mark.parametrize(("strength", "most"), [(1e-3, 5), (100.0, 20), (1e9, 1)])
def test_few_steps_lead_from_least_squares(strength: float, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    normal, moment = make_spectra(1, 8)
    steps: list[int] = []
    advance = module._Search.advance
    monkeypatch.setattr(module._Search, "advance", lambda self: (steps.append(1), advance(self))[1])
    optimum(normal[0], moment[0], unbounded(np.array(strength), 45), np.linalg.solve(normal[0], moment[0]))
    assert len(steps) <= most


@pytest.mark.parametrize("strength", [0.0, 1.0, 1e4])
def test_equal_columns_share_or_leave(strength: float) -> None:
    rng = np.random.default_rng(7)
    design = rng.normal(size=(40, 5))
    design = np.hstack([design, design[:, 1:3]])
    flux = design @ np.array([1.0, 0.5, -0.5, 0.0, 0.2, 0.5, -0.5]) + 0.1 * rng.normal(size=40)
    normal, moment = design.T @ design, design.T @ flux
    penalty = unbounded(np.array(strength), 7)
    theta = optimum(normal, moment, penalty, np.zeros(7))
    pulls = pull(2.0 * (normal @ theta - moment), penalty, theta)
    assert np.abs(pulls).max() < 1e-9 * max(strength, 1.0)


def test_a_singular_matrix_gets_the_least_ridge() -> None:
    matrix = np.array([[1.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(matrix @ solve_positive(matrix, np.array([2.0, 2.0])), 2.0)


def test_rounding_bounds_the_noise_of_the_gradient() -> None:
    normal, moment = make_nearly_singular(10, 12)
    theta = 1e5 * np.random.default_rng(8).normal(size=(10, 12))
    exact = np.einsum("pij,pj->pi", normal.astype(np.longdouble), theta.astype(np.longdouble)) - moment
    noise = np.abs(np.einsum("pij,pj->pi", normal, theta) - moment - exact)
    bound = rounding(np.sqrt(np.einsum("pii->pi", normal)), moment, theta)
    assert (noise <= bound).all()
    assert noise.max() > 1e-4 * bound.max()


@pytest.mark.parametrize("matrix", [-np.eye(3), np.zeros((3, 3)), np.eye(3)[::-1]])
def test_what_is_not_positive_definite_is_refused(matrix: Floats) -> None:
    with pytest.raises(ArithmeticError, match="positive definite"):
        solve_positive(matrix, np.ones(3))


def test_numbers_that_are_none_are_no_optimum() -> None:
    normal, moment = make_problem(1, 5)
    moment[0, 3] = np.nan
    with pytest.raises(ArithmeticError, match="Check that its normal matrix is finite"):
        optimum(normal[0], moment[0], unbounded(np.array(15.0), 5), np.zeros(5))


def test_an_optimum_that_is_not_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    normal, moment = make_problem(1, 10, seed=9)
    monkeypatch.setattr(module._Search, "advance", lambda self: True)
    with pytest.raises(ArithmeticError, match="expected to reach the conditions of the optimum"):
        optimum(normal[0], moment[0], unbounded(np.array(15.0), 10), np.zeros(10))
