"""Censored terms, penalties and bounds in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from apogee_labels.cannon.training.coefficients import train_pixels
from apogee_labels.cannon.training.scatter import ScatterRule, weights
from tests.apogee_labels.cannon.known_stars import Stars


@pytest.fixture(scope="module")
def stars() -> Stars:
    return Stars()


@pytest.mark.parametrize("strength", [0.0, 50.0])
def test_terms_that_a_pixel_may_not_have_are_left_out(stars: Stars, strength: float) -> None:
    allowed = np.ones((30, 6), dtype=bool)
    allowed[10:20] = [False, True, False, True, False, False]  # the first label alone
    theta, s2, _ = stars.train(regularization=strength, allowed=allowed)
    alone = train_pixels(
        stars.scaled[:, :1],
        stars.flux[:, 10:20],
        stars.ivar[:, 10:20],
        order=2,
        regularization=strength,
        rule=ScatterRule.RESTRICTED,
    )
    kept = [0, 1, 3]
    assert not np.delete(theta[10:20], kept, axis=1).any()
    np.testing.assert_allclose(theta[10:20][:, kept], alone.theta, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(s2[10:20], alone.s2, rtol=1e-5)
    np.testing.assert_allclose(theta[20:], stars.train(regularization=strength).theta[20:], rtol=1e-4, atol=1e-6)


def test_fewer_terms_need_fewer_stars(stars: Stars) -> None:
    ivar = np.where(np.arange(120)[:, None] < 14, stars.ivar, 0.0)
    ivar[:, 1:] = stars.ivar[:, 1:]
    allowed = np.ones((30, 6), dtype=bool)
    allowed[0, 2:] = False
    few = train_pixels(
        stars.scaled, stars.flux, ivar, order=2, regularization=0.0, rule=ScatterRule.RESTRICTED, allowed=allowed
    )
    assert np.isfinite(few.s2[0])


def test_each_pixel_may_have_its_own_penalty(stars: Stars) -> None:
    strength = np.where(np.arange(30) % 2, 50.0, 0.0)
    mixed = stars.train(regularization=strength).theta
    np.testing.assert_allclose(mixed[0::2], stars.train().theta[0::2], atol=1e-5)
    np.testing.assert_allclose(mixed[1::2], stars.train(regularization=50.0).theta[1::2], atol=1e-5)


def test_bounds_hold_and_the_rest_is_optimal(stars: Stars) -> None:
    bounds = np.tile([-np.inf, np.inf], (6, 1))
    bounds[1] = [-0.02, 0.02]
    theta, s2, _ = stars.train(bounds=bounds)
    assert (np.abs(theta[:, 1]) <= 0.02).all()
    held = np.abs(theta[:, 1]) == 0.02
    assert held.any()
    assert not held.all()
    residual = stars.flux - stars.design @ theta.T
    gradient = stars.design.T @ (weights(stars.ivar, s2) * residual)
    free = np.ones((6, 30), dtype=bool)
    free[1] = ~held
    assert np.abs(gradient[free]).max() < 1e-5
    assert (gradient[1, held] * theta[held, 1] > 0.0).all()


def test_noise_of_terms_that_a_pixel_may_not_have_is_zero(stars: Stars) -> None:
    ivar, s2 = (
        np.repeat(stars.ivar[:, :1], 30, axis=1) * stars.s2,
        np.zeros(30),
    )  # two modes: of all terms, and of a few
    allowed = np.ones((30, 6), dtype=bool)
    allowed[10:20] = [False, True, False, True, False, False]
    noise = stars.train(ivar=ivar, s2=s2, allowed=allowed, noise=True).noise
    assert noise is not None
    for pixel, found in enumerate(noise.covariance()):
        kept = np.ix_(*[[0, 1, 3] if 10 <= pixel < 20 else range(6)] * 2)
        expected = np.zeros((6, 6))
        expected[kept] = np.linalg.inv((stars.design.T @ (ivar[:, pixel, None] * stars.design))[kept])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize(
    "wrong",
    [
        {"s2": np.ones(29)},
        {"s2": -np.ones(30)},
        {"allowed": np.ones((30, 5), dtype=bool)},
        {"bounds": np.zeros((5, 2))},
        {"bounds": np.tile([1.0, -1.0], (6, 1))},
        {"regularization": np.ones(29)},
        {"regularization": -1.0},
        {"regularization": np.inf},
    ],
)
def test_wrong_parameters_are_refused(stars: Stars, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        stars.train(**wrong)
