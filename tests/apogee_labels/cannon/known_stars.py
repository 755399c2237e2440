"""Stars in a few pixels whose coefficients and scatter are known, for the tests of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.training.coefficients import Coefficients, train_pixels
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.core.arrays import Floats


class Stars:
    """Stars in a few pixels whose coefficients and scatter are known."""

    def __init__(self, n_stars: int = 120, n_pixels: int = 30, *, seed: int = 1, sigma: float = 0.01) -> None:
        rng = np.random.default_rng(seed)
        self.scaled = rng.normal(0, 0.4, (n_stars, 2))
        self.design = monomials(2, 2).evaluate(self.scaled)
        self.theta = rng.normal(0, 0.1, (n_pixels, 6)) * (rng.random((n_pixels, 6)) < 0.6)
        self.theta[:, 0] = 1.0
        self.s2 = (sigma * np.exp(rng.normal(0, 0.5, n_pixels))) ** 2
        variance = sigma**2 * np.exp(rng.normal(0, 0.5, (n_stars, n_pixels)))
        noise = rng.normal(size=variance.shape) * np.sqrt(variance + self.s2)
        self.flux = self.design @ self.theta.T + noise
        self.ivar = np.where(rng.random(variance.shape) < 0.05, 0.0, 1 / variance)

    def train(
        self, rule: ScatterRule = ScatterRule.RESTRICTED, regularization: float | Floats = 0.0, **options: Any
    ) -> Coefficients:
        ivar = options.pop("ivar", self.ivar)
        return train_pixels(self.scaled, self.flux, ivar, order=2, regularization=regularization, rule=rule, **options)
