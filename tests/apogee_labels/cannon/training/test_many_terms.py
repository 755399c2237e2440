"""The scatter without normal matrices against the rounds with them, and against a known truth."""

from __future__ import annotations

import numpy as np
import pytest

import apogee_labels.cannon.training.many_terms as module
from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.training.coefficients import Coefficients, train_pixels
from apogee_labels.cannon.training.many_terms import SharedBasis
from apogee_labels.cannon.training.scatter import ScatterRule, weights
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.normal_problems import kkt_residual


class ManyLabels:
    """Correlated labels, each with a share of its own, whose pixels' coefficients and scatter are known."""

    def __init__(self, n_labels: int = 10, n_stars: int = 560, n_pixels: int = 90, *, scatter: float = 0.01) -> None:
        rng = np.random.default_rng(21)
        mixing = rng.normal(size=(3, n_labels))
        self.scaled = 0.15 * (rng.normal(size=(n_stars, 3)) @ mixing + rng.normal(size=(n_stars, n_labels)))
        self.design = monomials(n_labels, 2).evaluate(self.scaled)
        theta = rng.normal(0, 0.05, (n_pixels, self.design.shape[1]))
        theta[:, 0] = 0.9
        self.s2 = (scatter * np.exp(rng.normal(0, 0.4, n_pixels))) ** 2
        noise = np.exp(rng.uniform(np.log(0.003), np.log(0.01), (n_stars, 1))) * np.exp(rng.normal(0, 0.15, n_pixels))
        self.flux = self.design @ theta.T + rng.normal(size=noise.shape) * np.sqrt(noise**2 + self.s2)
        self.ivar = np.where(rng.random(noise.shape) < 0.025, 0.0, noise**-2)

    def train(self, rule: ScatterRule, strength: float = 0.0) -> Coefficients:
        return train_pixels(self.scaled, self.flux, self.ivar, order=2, regularization=strength, rule=rule)


@pytest.fixture(scope="module")
def stars() -> ManyLabels:
    return ManyLabels()


def in_rounds(stars: ManyLabels, rule: ScatterRule, monkeypatch: pytest.MonkeyPatch, strength: float = 0.0) -> Floats:
    """Scatter from rounds of exact solutions."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "MANY_TERMS", 10_000)
        return np.sqrt(stars.train(rule, strength).s2)


@pytest.mark.parametrize("rule", list(ScatterRule))
def test_scatter_is_that_of_exact_rounds(stars: ManyLabels, rule: ScatterRule, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = in_rounds(stars, rule, monkeypatch)
    found = np.sqrt(stars.train(rule).s2)
    assert np.median(np.abs(found - expected)) < 1e-4 * np.median(expected) + 1e-12
    np.testing.assert_allclose(found, expected, rtol=5e-3, atol=1e-5)


def test_scatter_with_a_penalty_is_that_of_exact_rounds(stars: ManyLabels, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = in_rounds(stars, ScatterRule.RESTRICTED, monkeypatch, 20.0)
    found = np.sqrt(stars.train(ScatterRule.RESTRICTED, 20.0).s2)
    np.testing.assert_allclose(found, expected, rtol=5e-3)


def test_coefficients_are_least_squares_at_the_models_scatter(stars: ManyLabels) -> None:
    theta, s2, _ = stars.train(ScatterRule.RESTRICTED)
    for pixel in range(0, len(theta), 10):
        root = np.sqrt(weights(stars.ivar[:, pixel], s2[pixel]))
        expected = np.linalg.lstsq(root[:, None] * stars.design, root * stars.flux[:, pixel])[0]
        np.testing.assert_allclose(theta[pixel], expected, rtol=1e-7, atol=1e-9)


def test_l1_reaches_the_optimum_at_the_models_scatter(stars: ManyLabels) -> None:
    theta, s2, _ = stars.train(ScatterRule.RESTRICTED, 100.0)
    weight = weights(stars.ivar, s2)
    normal = np.einsum("np,ns,nt->pst", weight, stars.design, stars.design, optimize=True)
    moment = (weight * stars.flux).T @ stars.design
    assert kkt_residual(normal, moment, 100.0, theta).max() < 1e-6
    assert (theta == 0.0).mean() > 0.1


def test_restricted_likelihood_finds_the_truth_and_maximum_likelihood_falls_short(stars: ManyLabels) -> None:
    restricted, likelihood = (
        np.median(np.sqrt(stars.train(rule).s2 / stars.s2)) for rule in (ScatterRule.RESTRICTED, ScatterRule.LIKELIHOOD)
    )
    assert restricted == pytest.approx(1.0, abs=0.02)
    assert likelihood == pytest.approx(np.sqrt(1.0 - 66 / 560) - 0.06, abs=0.06)  # noise is subtracted from less


def test_it_takes_many_terms_and_enough_stars_for_them() -> None:
    assert SharedBasis.serves(1624, 171)
    assert not SharedBasis.serves(1300, 171)
    assert not SharedBasis.serves(1624, 10)


def test_pixels_that_cannot_be_trained_do_no_harm(stars: ManyLabels) -> None:
    expected = stars.train(ScatterRule.RESTRICTED)
    few = ManyLabels()
    few.ivar[:, 3] = 0.0
    few.ivar[:, 7] = np.where(np.arange(560) < 100, few.ivar[:, 7], 0.0)
    found = few.train(ScatterRule.RESTRICTED)
    assert np.flatnonzero(np.isinf(found.s2)).tolist() == [3, 7]
    rest = np.delete(np.arange(90), [3, 7])
    np.testing.assert_allclose(found.s2[rest], expected.s2[rest], rtol=1e-3)


@pytest.mark.parametrize("unit", [1e8, 1e-17])
def test_units_do_not_matter(stars: ManyLabels, unit: float) -> None:
    expected = stars.train(ScatterRule.RESTRICTED)
    other = ManyLabels()
    other.flux, other.ivar = other.flux * unit, other.ivar / unit**2
    found = np.sqrt(other.train(ScatterRule.RESTRICTED).s2) / unit
    np.testing.assert_allclose(found, np.sqrt(expected.s2), rtol=1e-3)
