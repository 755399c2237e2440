"""The L1 fit against the optimality conditions, and against a general optimiser on the split problem."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

import include.cannon.lasso as module
from include.cannon.lasso import descend, kkt_residual, lasso

Floats = NDArray[np.float64]


def make_problem(n_pixels: int, n_terms: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Normal matrices of correlated columns, and moments of sparse coefficients with noise."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(n_terms) + 0.4 * rng.normal(size=(n_terms, n_terms))
    design = rng.normal(size=(n_pixels, 60, n_terms)) @ mixing
    truth = rng.normal(size=(n_pixels, n_terms)) * (rng.random((n_pixels, n_terms)) < 0.4)
    flux = np.einsum("pnt,pt->pn", design, truth) + rng.normal(0, 0.5, (n_pixels, 60))
    return np.einsum("pns,pnt->pst", design, design), np.einsum("pnt,pn->pt", design, flux)


def objective(normal: Floats, moment: Floats, strength: float, theta: Floats) -> float:
    return float(theta @ normal @ theta - 2 * moment @ theta + strength * np.abs(theta[1:]).sum())


def split_reference(normal: Floats, moment: Floats, strength: float) -> float:
    """Lowest objective found by L-BFGS-B with theta = plus - minus, both 0 or more (the constant free)."""
    size = len(moment)

    def value(x: Floats) -> tuple[float, Floats]:
        theta = x[:size] - x[size:]
        gradient = 2 * (normal @ theta - moment)
        penalty = np.full(size, strength)
        penalty[0] = 0.0
        total = theta @ normal @ theta - 2 * moment @ theta + penalty @ (x[:size] + x[size:])
        return float(total), np.concatenate([gradient + penalty, penalty - gradient])

    options = {"maxiter": 100_000, "maxfun": 1_000_000, "ftol": 1e-15, "gtol": 1e-9}
    bounds = [(0, None)] * (2 * size)
    return float(minimize(value, np.zeros(2 * size), jac=True, bounds=bounds, method="L-BFGS-B", options=options).fun)


@pytest.mark.parametrize("strength", [0.1, 10.0, 60.0, 1e4])
@pytest.mark.parametrize("n_terms", [2, 10, 35])
def test_conditions_of_the_optimum_hold(strength: float, n_terms: int) -> None:
    normal, moment = make_problem(50, n_terms)
    start = np.linalg.solve(normal, moment[..., None])[..., 0]
    theta = lasso(normal, moment, strength, start)
    assert kkt_residual(normal, moment, strength, theta).max() < 1e-6
    assert (theta[:, 1:] == 0).any() or strength < 1


def test_objective_is_that_of_a_general_optimiser() -> None:
    normal, moment = make_problem(12, 8, seed=2)
    theta = lasso(normal, moment, 20.0, np.zeros_like(moment))
    for pixel in range(12):
        best = split_reference(normal[pixel], moment[pixel], 20.0)
        reached = objective(normal[pixel], moment[pixel], 20.0, theta[pixel])
        assert reached == pytest.approx(best, rel=1e-7)
        assert reached <= best + 1e-9 * abs(best)


def test_the_start_does_not_matter() -> None:
    normal, moment = make_problem(40, 10, seed=3)
    rng = np.random.default_rng(4)
    one = lasso(normal, moment, 15.0, np.zeros_like(moment))
    other = lasso(normal, moment, 15.0, 10 * rng.normal(size=moment.shape))
    np.testing.assert_allclose(one, other, atol=1e-9)
    np.testing.assert_array_equal(one == 0, other == 0)


def test_a_huge_penalty_leaves_the_constant() -> None:
    normal, moment = make_problem(5, 6)
    theta = lasso(normal, moment, 1e9, np.zeros_like(moment))
    np.testing.assert_array_equal(theta[:, 1:], 0)
    np.testing.assert_allclose(theta[:, 0], moment[:, 0] / normal[:, 0, 0])


def test_coordinate_descent_agrees() -> None:
    normal, moment = make_problem(20, 6, seed=6)
    theta = np.zeros_like(moment)
    descend(normal, moment, 20.0, theta, 20_000)
    np.testing.assert_allclose(lasso(normal, moment, 20.0, np.zeros_like(moment)), theta, atol=1e-7)


def test_the_residual_notices_what_is_no_optimum() -> None:
    normal, moment = make_problem(20, 6, seed=7)
    least_squares = np.linalg.solve(normal, moment[..., None])[..., 0]
    assert kkt_residual(normal, moment, 20.0, least_squares).min() > 0.5


def test_the_exact_search_needs_no_coordinate_descent(monkeypatch: pytest.MonkeyPatch) -> None:
    normal, moment = make_problem(50, 10, seed=8)
    monkeypatch.setattr(module, "descend", lambda *arguments: None)
    theta = module.lasso(normal, moment, 15.0, np.zeros_like(moment))
    assert kkt_residual(normal, moment, 15.0, theta).max() < 1e-8


def test_an_optimum_that_is_not_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    normal, moment = make_problem(5, 10, seed=9)
    monkeypatch.setattr(module, "descend", lambda *arguments: None)
    monkeypatch.setattr(module, "_advance", lambda *arguments: np.zeros(5, dtype=bool))
    with pytest.raises(ArithmeticError, match="expected a KKT residual below"):
        module.lasso(normal, moment, 15.0, np.zeros_like(moment))
