"""The L1 fit against the optimality conditions, and against a general optimiser on the split problem."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import apogee_labels.cannon.training.lasso as module
from apogee_labels.cannon.training.lasso import descend, lasso
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.normal_problems import kkt_residual, make_nearly_singular, make_problem, make_spectra


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


def test_pixels_that_the_batch_does_not_finish_are_finished_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    normal, moment = make_problem(5, 10, seed=9)
    expected = lasso(normal, moment, 15.0, np.zeros_like(moment))
    monkeypatch.setattr(module, "_advance", lambda *arguments: np.zeros(5, dtype=bool))
    theta = module.lasso(normal, moment, 15.0, np.zeros_like(moment))
    np.testing.assert_allclose(theta, expected, atol=1e-9)


@pytest.mark.parametrize("strength", [1e-3, 100.0, 1e4])
def test_the_batch_finishes_what_it_begins(strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    normal, moment = make_spectra(40, 3)
    monkeypatch.delattr(module, "optimum")
    theta = module.lasso(normal, moment, strength, np.zeros_like(moment), sweeps=0)
    assert kkt_residual(normal, moment, strength, theta).max() < max(1e-9, 1e-7 / strength)


@pytest.fixture(params=["together", "alone"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either way of working on few terms."""
    if request.param == "alone":
        monkeypatch.setattr(module, "MANY_TERMS", 0)


@pytest.mark.usefixtures("way")
def test_each_pixel_may_have_its_own_penalty() -> None:
    normal, moment = make_problem(6, 10, seed=12)
    strength = np.array([0.0, 15.0, 100.0, 0.0, 1e-3, 1e9])
    theta = lasso(normal, moment, strength, np.zeros_like(moment))
    for pixel, one in enumerate(strength):
        alone = slice(pixel, pixel + 1)
        expected = lasso(normal[alone], moment[alone], float(one), np.zeros((1, 10)))
        np.testing.assert_allclose(theta[alone], expected, atol=1e-10)
    assert kkt_residual(normal, moment, strength, theta).max() < 1e-9


@pytest.mark.usefixtures("way")
def test_without_a_penalty_it_is_least_squares() -> None:
    normal, moment = make_problem(4, 8, seed=13)
    least_squares = np.linalg.solve(normal, moment[..., None])[..., 0]
    for none in (0.0, np.zeros(4)):
        np.testing.assert_array_equal(lasso(normal, moment, none, np.ones_like(moment)), least_squares)
    assert kkt_residual(normal, moment, 0.0, least_squares).max() < 1e-12
    assert kkt_residual(normal, moment, 0.0, least_squares + 0.1).min() > 1e-3
    np.testing.assert_array_equal(kkt_residual(normal, np.zeros_like(moment), 0.0, np.zeros_like(moment)), 0.0)


@pytest.mark.parametrize("strength", [100.0, 1000.0])
def test_many_terms_reach_the_optimum_from_anywhere(strength: float) -> None:
    normal, moment = make_spectra(3, 12)
    assert moment.shape[1] > module.MANY_TERMS
    starts = (np.eye(1, 91).repeat(3, axis=0), np.linalg.solve(normal, moment[..., None])[..., 0])
    one, other = (lasso(normal, moment, strength, start) for start in starts)
    assert kkt_residual(normal, moment, strength, one).max() < 1e-8
    np.testing.assert_allclose(one, other, atol=1e-9)
    np.testing.assert_array_equal(one == 0, other == 0)
    assert 5 < np.count_nonzero(one, axis=1).max() < 80


def test_the_two_ways_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    normal, moment = make_spectra(20, 3)
    start = np.zeros_like(moment)
    together = lasso(normal, moment, 100.0, start)
    monkeypatch.setattr(module, "MANY_TERMS", 0)
    alone = lasso(normal, moment, 100.0, start)
    np.testing.assert_allclose(together, alone, atol=1e-9)
    np.testing.assert_array_equal(together == 0, alone == 0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("strength", [1e-3, 1.0, 1e5])
def test_nearly_collinear_terms(strength: float) -> None:
    normal, moment = make_nearly_singular(20, 10)
    theta = lasso(normal, moment, strength, np.zeros_like(moment))
    assert kkt_residual(normal, moment, strength, theta).max() < 1e-5  # rounding, of 1e6 against 1e-3


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("strength", [0.0, 10.0])
def test_zero_moments_give_zero(strength: float) -> None:
    normal, moment = make_problem(5, 10, seed=14)
    theta = lasso(normal, 0.0 * moment, strength, np.ones_like(moment))
    np.testing.assert_allclose(theta, 0.0, atol=1e-12)
    assert (theta[:, 1:] == 0.0).all()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("n_terms", [1, 7])
def test_no_pixels(n_terms: int) -> None:
    normal, moment = np.empty((0, n_terms, n_terms)), np.empty((0, n_terms))
    for strength in (0.0, 5.0, np.empty(0)):
        assert lasso(normal, moment, strength, moment).shape == (0, n_terms)
        assert kkt_residual(normal, moment, strength, moment).shape == (0,)


@pytest.mark.usefixtures("way")
def test_the_constant_alone() -> None:
    theta = lasso(np.full((2, 1, 1), 4.0), np.array([[2.0], [-8.0]]), 100.0, np.zeros((2, 1)))
    np.testing.assert_allclose(theta, [[0.5], [-2.0]])


@pytest.mark.parametrize(
    ("strength", "message"),
    [
        (-1.0, "0 or more"),
        (np.nan, "finite"),
        (np.inf, "finite"),
        (np.ones(4), r"3, one for each pixel; got shape \(4,\)"),
        (np.ones((3, 2)), "one for each pixel"),
    ],
)
def test_a_penalty_that_is_none_is_refused(strength: float | Floats, message: str) -> None:
    normal, moment = make_problem(3, 4)
    with pytest.raises(ValueError, match=message):
        lasso(normal, moment, strength, np.zeros_like(moment))


@pytest.mark.usefixtures("way")
def test_what_is_not_positive_definite_is_an_error() -> None:
    normal, moment = make_problem(3, 6)
    normal[1] = np.nan
    with pytest.raises(ArithmeticError, match="positive definite"):
        lasso(normal, moment, 10.0, np.zeros_like(moment))
