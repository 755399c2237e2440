"""Bounded coefficients against a general solver on every orthant, and against the conditions of the optimum."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import lsq_linear

import apogee_labels.cannon.training.bounded as module
from apogee_labels.cannon.training.bounded import bounded
from apogee_labels.cannon.training.lasso import lasso
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.normal_problems import kkt_residual, make_nearly_singular, make_problem, make_spectra

INFINITE = np.inf
BOUNDS = {
    "around zero": (np.full(5, -0.2), np.full(5, 0.3)),
    "apart from zero": (np.array([-INFINITE, 0.1, 0.2, -1.0, -0.3]), np.array([INFINITE, 0.5, INFINITE, -0.4, -0.1])),
    "touching zero": (np.array([-INFINITE, 0.0, -INFINITE, 0.0, -1.0]), np.array([0.2, INFINITE, 0.0, 0.1, 0.0])),
    "some fixed": (np.array([0.3, -0.2, 0.0, -INFINITE, -INFINITE]), np.array([0.3, -0.2, 0.0, INFINITE, 0.1])),
    "on one side": (np.full(5, -INFINITE), np.array([INFINITE, 0.1, 0.0, -0.1, 0.0])),
}


@pytest.fixture(params=["few", "many"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with few terms, and as with many."""
    if request.param == "many":
        monkeypatch.setattr(module, "MANY_TERMS", 0)


def on_an_orthant(normal: Floats, linear: Floats, lower: Floats, upper: Floats) -> Floats:
    """Minimise theta' N theta - 2 linear' theta between bounds, by bounded-variable least squares on Cholesky's factor."""
    theta = lower.copy()
    open_ = lower < upper
    if open_.any():
        factor = np.linalg.cholesky(normal[np.ix_(open_, open_)])
        reduced = linear[open_] - normal[np.ix_(open_, ~open_)] @ theta[~open_]
        target = np.linalg.solve(factor, reduced)
        theta[open_] = lsq_linear(factor.T, target, (lower[open_], upper[open_]), method="bvls", tol=1e-14).x
    return theta


def reference(normal: Floats, moment: Floats, strength: float, lower: Floats, upper: Floats) -> Floats:
    """The best optimum of all orthants, on each of which the penalty is linear."""
    best, least = np.full(len(moment), np.nan), np.inf
    for signs in product((-1.0, 1.0), repeat=len(moment) - 1):
        sign = np.array([0.0, *signs])
        low = np.where(sign > 0.0, np.maximum(lower, 0.0), lower)
        high = np.where(sign < 0.0, np.minimum(upper, 0.0), upper)
        if (low > high).any():
            continue
        theta = on_an_orthant(normal, moment - 0.5 * strength * sign, low, high)
        value = theta @ normal @ theta - 2.0 * moment @ theta + strength * np.abs(theta[1:]).sum()
        if value < least:
            best, least = theta, value
    return best


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("strength", [0.0, 8.0, 60.0])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_optimum_is_the_best_of_all_orthants(bounds: str, strength: float) -> None:
    lower, upper = BOUNDS[bounds]
    normal, moment = make_problem(6, 5, seed=3)
    theta = bounded(normal, moment, strength, lower, upper, np.full((6, 5), 7.0))
    expected = [reference(normal[pixel], moment[pixel], strength, lower, upper) for pixel in range(6)]
    np.testing.assert_allclose(theta, expected, atol=1e-9)
    assert kkt_residual(normal, moment, strength, theta, lower, upper).max() < 1e-9


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("strength", [0.0, 100.0, 1000.0])
@pytest.mark.parametrize("n_labels", [3, 10])
def test_conditions_hold_for_spectra(strength: float, n_labels: int) -> None:
    normal, moment = make_spectra(8, n_labels)
    n_terms = moment.shape[1]
    lower, upper = np.full(n_terms, -INFINITE), np.full(n_terms, INFINITE)
    lower[1 : n_labels + 1], upper[1 : n_labels + 1] = -0.05, 0.0
    theta = bounded(normal, moment, strength, lower, upper, np.eye(1, n_terms).repeat(8, axis=0))
    assert kkt_residual(normal, moment, strength, theta, lower, upper).max() < 1e-8
    assert (theta == lower).any()
    assert (theta == upper).any()
    assert ((theta == 0.0) & (upper > 0.0)).any() == (strength > 0.0)


def test_without_bounds_it_is_the_lasso() -> None:
    normal, moment = make_problem(10, 8)
    none = np.full(8, INFINITE)
    start = np.zeros_like(moment)
    np.testing.assert_array_equal(bounded(normal, moment, 20.0, -none, none, start), lasso(normal, moment, 20.0, start))


def test_only_pixels_beyond_the_bounds_are_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    normal, moment = make_problem(10, 8)
    free = lasso(normal, moment, 20.0, np.zeros_like(moment))
    lower, upper = np.full(8, -INFINITE), np.full(8, INFINITE)
    upper[0] = np.median(free[:, 0])
    worked: list[Floats] = []
    search = module.optimum
    monkeypatch.setattr(module, "optimum", lambda *arguments: (worked.append(arguments[1]), search(*arguments))[1])
    bounded(normal, moment, 20.0, lower, upper, np.zeros_like(moment))
    np.testing.assert_array_equal(worked, moment[free[:, 0] > upper[0]])
    assert len(worked) == 5


@pytest.mark.usefixtures("way")
def test_each_pixel_may_have_its_own_penalty() -> None:
    normal, moment = make_problem(3, 5, seed=4)
    lower, upper = BOUNDS["around zero"]
    strength = np.array([0.0, 10.0, 1e6])
    theta = bounded(normal, moment, strength, lower, upper, np.zeros((3, 5)))
    assert kkt_residual(normal, moment, strength, theta, lower, upper).max() < 1e-9
    np.testing.assert_array_equal(theta[2, 1:], 0.0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("strength", [0.0, 10.0])
def test_all_fixed(strength: float) -> None:
    normal, moment = make_problem(4, 5)
    value = np.array([1.0, 0.0, -0.5, 0.3, 0.0])
    theta = bounded(normal, moment, strength, value, value, np.ones((4, 5)))
    np.testing.assert_array_equal(theta, np.tile(value, (4, 1)))
    np.testing.assert_array_equal(kkt_residual(normal, moment, strength, theta, value, value), 0.0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("condition", [1e12, 1e15])
def test_nearly_singular_matrices(strength: float, condition: float) -> None:
    normal, moment = make_nearly_singular(10, 8, condition=condition)
    lower, upper = np.full(8, -0.3), np.full(8, 0.4)
    theta = bounded(normal, moment, strength, lower, upper, np.zeros_like(moment))
    assert kkt_residual(normal, moment, strength, theta, lower, upper).max() < 1e-7


def test_a_singular_matrix_within_bounds() -> None:
    normal, moment = np.ones((1, 3, 3)), np.full((1, 3), 2.0)
    theta = bounded(normal, moment, 0.0, np.zeros(3), np.ones(3), np.zeros((1, 3)))
    assert kkt_residual(normal, moment, 0.0, theta, np.zeros(3), np.ones(3))[0] < 1e-9


@pytest.mark.usefixtures("way")
def test_no_pixels() -> None:
    none = np.empty((0, 4))
    assert bounded(np.empty((0, 4, 4)), none, 1.0, np.zeros(4), np.ones(4), none).shape == (0, 4)


def test_the_residual_notices_what_is_no_optimum() -> None:
    normal, moment = make_problem(5, 5)
    lower, upper = BOUNDS["around zero"]
    theta = bounded(normal, moment, 8.0, lower, upper, np.zeros((5, 5)))
    assert (kkt_residual(normal, moment, 8.0, 0.5 * theta, lower, upper) > 0.1).all()
    assert (kkt_residual(normal, moment, 8.0, theta + 0.6, lower, upper) == INFINITE).all()


@pytest.mark.parametrize(
    ("lower", "upper", "message"),
    [
        ([0.0, 1.0], [1.0, 0.5], "term 1 has 1.0 and 0.5"),
        ([0.0, np.nan], [1.0, 1.0], "term 1 has nan"),
        ([INFINITE, 0.0], [INFINITE, 1.0], "a finite value between"),
        ([0.0], [1.0], r"expected 2 of either kind, got shapes \(1,\)"),
    ],
)
def test_bounds_that_are_none_are_refused(lower: list[float], upper: list[float], message: str) -> None:
    normal, moment = make_problem(3, 2)
    with pytest.raises(ValueError, match=message):
        bounded(normal, moment, 1.0, np.array(lower), np.array(upper), np.zeros((3, 2)))
