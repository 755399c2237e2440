"""The scatter's iteration against a general root finder."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from apogee_labels.cannon.training.scatter import newton_step, weights
from apogee_labels.core.arrays import Floats


def make_pixels(seed: int, *, spread: float) -> tuple[Floats, Floats, Floats]:
    """Inverse variances and squared residuals of 500 stars in 20 pixels, and the true s2."""
    rng = np.random.default_rng(seed)
    s2 = 10.0 ** rng.uniform(-6, -3, 20)
    variance = 1e-4 * np.exp(rng.normal(0, spread, (500, 20)))
    ivar = np.where(rng.random((500, 20)) < 0.05, 0.0, 1 / variance)
    return ivar, rng.normal(size=(500, 20)) ** 2 * (variance + s2), s2


def slow_root(ivar: Floats, square: Floats) -> float:
    """Root of sum W - sum W^2 q by bisection, 0 when the derivative is positive there."""

    def score(s2: float) -> float:
        weight = ivar / (1 + ivar * s2)
        return float((weight - weight**2 * square).sum())

    return 0.0 if score(0.0) > 0 else float(brentq(score, 0.0, 1.0, xtol=1e-16, rtol=1e-12))


def iterate(ivar: Floats, square: Floats, steps: int) -> Floats:
    square32 = (square.T * 1e4).astype(np.float32)
    s2, spare = np.full(ivar.shape[1], 1e-4), np.empty_like(square32)
    for _ in range(steps):
        weight = (weights(ivar, s2).T * 1e-4).astype(np.float32)
        s2 = np.maximum(s2 + 1e-4 * newton_step(weight, square32, spare)[0], 0.0)
    return s2


def test_iteration_ends_at_the_root() -> None:
    for seed, spread in ((1, 0.1), (2, 1.0)):
        ivar, square, _ = make_pixels(seed, spread=spread)
        expected = [slow_root(*pixel) for pixel in zip(ivar.T, square.T, strict=True)]
        np.testing.assert_allclose(iterate(ivar, square, 30), expected, rtol=1e-4, atol=1e-8)


def test_a_few_steps_suffice() -> None:
    ivar, square, _ = make_pixels(3, spread=0.3)
    standard_error = np.sqrt(2 / (weights(ivar, iterate(ivar, square, 30)) ** 2).sum(axis=0))
    assert (np.abs(iterate(ivar, square, 4) - iterate(ivar, square, 30)) < 0.01 * standard_error).all()


def test_weights_of_unknown_pixels_are_zero() -> None:
    np.testing.assert_array_equal(weights(np.array([[0.0, 4.0]]), np.array([1.0, 0.25])), [[0.0, 2.0]])
