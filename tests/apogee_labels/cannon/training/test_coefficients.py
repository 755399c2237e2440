"""Training against slow twins, pixel by pixel, and against a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from apogee_labels.cannon.training.coefficients import BLOCK, least_stars, train_pixels
from apogee_labels.cannon.training.many_terms import SharedBasis
from apogee_labels.cannon.training.pixel_block import PixelBlock
from apogee_labels.cannon.training.scatter import ScatterRule, weights
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.known_stars import Stars
from tests.apogee_labels.cannon.normal_problems import kkt_residual

RULES = list(ScatterRule)


@pytest.fixture(scope="module")
def stars() -> Stars:
    return Stars()


def least_squares(stars: Stars, pixel: int, s2: float) -> Floats:
    """Weighted least squares of one pixel, by the design matrix itself."""
    root = np.sqrt(weights(stars.ivar[:, pixel], np.array(s2)))
    return np.linalg.lstsq(root[:, None] * stars.design, root * stars.flux[:, pixel])[0]


def slow_scatter(stars: Stars, pixel: int, rule: ScatterRule) -> float:
    """Maximum of the (restricted) likelihood of one pixel, over log s2."""
    ivar, flux = stars.ivar[:, pixel], stars.flux[:, pixel]
    good = ivar > 0

    def objective(log_s2: float) -> float:
        theta = least_squares(stars, pixel, np.exp(log_s2))
        weight = weights(ivar, np.array(np.exp(log_s2)))
        value = (weight * (flux - stars.design @ theta) ** 2).sum() - np.log(weight[good]).sum()
        if rule is ScatterRule.RESTRICTED:
            value += np.linalg.slogdet(stars.design.T @ (weight[:, None] * stars.design))[1]
        return float(value)

    return float(np.exp(minimize_scalar(objective, bounds=(-20, 0), method="bounded", options={"xatol": 1e-7}).x))


@pytest.mark.parametrize("rule", RULES)
def test_coefficients_are_least_squares_at_the_models_scatter(stars: Stars, rule: ScatterRule) -> None:
    theta, s2, _ = stars.train(rule)
    for pixel in range(len(theta)):
        np.testing.assert_allclose(theta[pixel], least_squares(stars, pixel, s2[pixel]), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("rule", [ScatterRule.RESTRICTED, ScatterRule.LIKELIHOOD])
def test_scatter_is_the_maximum_of_the_likelihood(stars: Stars, rule: ScatterRule) -> None:
    s2 = stars.train(rule).s2
    expected = np.array([slow_scatter(stars, pixel, rule) for pixel in range(len(s2))])
    np.testing.assert_allclose(s2, expected, rtol=2e-3, atol=1e-8)


def test_scatter_is_the_truth_in_the_median() -> None:
    stars = Stars(n_stars=300, n_pixels=400, seed=2)
    ratio = np.sqrt(stars.train().s2 / stars.s2)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)


def test_restricted_likelihood_is_unbiased_where_the_terms_are_many() -> None:
    stars = Stars(n_stars=24, n_pixels=3000, seed=3)
    stars.ivar[...] = np.where(stars.ivar > 0, 1e10, 0)  # the scatter alone: its estimate is never cut at 0
    stars.flux[...] = stars.design @ stars.theta.T
    stars.flux += np.random.default_rng(4).normal(size=stars.flux.shape) * np.sqrt(stars.s2)
    enough = (stars.ivar > 0).sum(axis=0) >= 20
    restricted = (stars.train().s2 / stars.s2)[enough]
    likelihood = (stars.train(ScatterRule.LIKELIHOOD).s2 / stars.s2)[enough]
    assert restricted.mean() == pytest.approx(1.0, abs=0.03)
    assert likelihood.mean() < 0.8  # about (N - T) / N


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("strength", [1.0, 50.0, 1000.0])
def test_l1_reaches_the_optimum(stars: Stars, rule: ScatterRule, strength: float) -> None:
    theta, s2, _ = stars.train(rule, strength)
    weight = weights(stars.ivar, s2)
    normal = np.einsum("np,ns,nt->pst", weight, stars.design, stars.design)
    moment = np.einsum("np,nt->pt", weight * stars.flux, stars.design)
    assert kkt_residual(normal, moment, strength, theta).max() < 1e-6
    assert (theta == 0).any() or strength < 10


def test_l1_joint_objective_is_stationary_in_the_scatter(stars: Stars) -> None:
    theta, s2, _ = stars.train(ScatterRule.LIKELIHOOD, 50.0)
    residual = (stars.flux - stars.design @ theta.T) ** 2

    def objective(factor: float) -> Floats:
        weight = weights(stars.ivar, s2 * factor)
        return (weight * residual - np.log(np.where(weight > 0, weight, 1.0))).sum(axis=0)

    best = objective(1.0)
    assert (objective(1.01) >= best - 1e-4).all()
    assert (objective(0.99) >= best - 1e-4).all()


def test_a_tiny_penalty_is_none(stars: Stars) -> None:
    plain = stars.train()
    np.testing.assert_allclose(stars.train(regularization=1e-6, s2=plain.s2).theta, plain.theta, atol=1e-8)


def test_pixels_without_information_carry_no_weight() -> None:
    stars = Stars(seed=5)
    stars.ivar[:, 3] = 0.0
    stars.ivar[:, 7] = np.where(np.arange(120) < 6, 1e4, 0.0)  # six stars for six terms
    stars.ivar[:, 11] = np.where(np.arange(120) % 40 == 0, stars.ivar[:, 11], 0.0)  # three stars
    theta, s2, _ = stars.train()
    dead = [3, 7, 11]
    assert np.isinf(s2[dead]).all()
    assert np.isfinite(np.delete(s2, dead)).all()
    np.testing.assert_array_equal(theta[dead], np.tile(np.eye(1, 6), (3, 1)))
    np.testing.assert_allclose(np.delete(theta, dead, 0), np.delete(Stars(seed=5).train().theta, dead, 0), atol=1e-12)


def test_pixels_of_few_stars_are_not_trained() -> None:
    stars = Stars(seed=11)
    few, enough = np.arange(120) < 17, np.arange(120) < 18  # three for each of six terms
    stars.ivar[:, 5], stars.ivar[:, 6] = np.where(few, 1e4, 0.0), np.where(enough, 1e4, 0.0)
    assert np.flatnonzero(np.isinf(stars.train().s2)).tolist() == [5]


@pytest.mark.parametrize(
    ("n_stars", "least"), [(400, 40), (290, 30), (60, 30), (40, 30), (32, 24), (30, 22), (29, 11), (11, 11)]
)
def test_stars_that_a_pixel_must_have(n_stars: int, least: int) -> None:
    assert least_stars(n_stars, 10) == least


def test_stars_without_a_spectrum_do_not_raise_what_a_pixel_needs() -> None:
    stars = Stars(n_stars=300, seed=12)
    stars.ivar[100:] = 0.0
    stars.ivar[:, 5] = np.where(np.arange(300) < 20, 1e4, 0.0)
    assert np.isfinite(stars.train().s2).all()


def test_a_tiny_set_is_trained() -> None:
    stars = Stars(n_stars=17, seed=13)
    stars.ivar[...] = np.where(stars.ivar > 0, stars.ivar, 1e4)
    stars.ivar[7:, 5] = 0.0
    assert np.isfinite(stars.train().s2).all()


def test_stars_that_do_not_determine_the_terms_are_noticed() -> None:
    stars = Stars(seed=6)
    same = np.abs(stars.scaled - stars.scaled[0]).max(axis=1) == 0
    stars.scaled[:60] = stars.scaled[0]
    stars.ivar[60:, 4] = 0.0  # 60 stars, all with the same labels
    assert not same.all()
    assert np.flatnonzero(np.isinf(stars.train().s2)).tolist() == [4]


@pytest.mark.parametrize("strength", [0.0, 50.0])
def test_order_of_stars_and_pixels_does_not_matter(strength: float) -> None:
    stars = Stars(n_pixels=BLOCK + 20, seed=7)
    expected = stars.train(regularization=strength)
    rng = np.random.default_rng(8)
    rows, columns = rng.permutation(len(stars.flux)), rng.permutation(stars.flux.shape[1])
    stars.scaled = stars.scaled[rows]
    stars.flux, stars.ivar = stars.flux[rows][:, columns], stars.ivar[rows][:, columns]
    shuffled = stars.train(regularization=strength)
    np.testing.assert_allclose(shuffled.theta, expected.theta[columns], atol=1e-6)
    np.testing.assert_allclose(shuffled.s2, expected.s2[columns], rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("unit", [1e8, 1e-17])
def test_units_do_not_matter(rule: ScatterRule, unit: float) -> None:
    stars = Stars(seed=15)
    expected = stars.train(rule)
    stars.flux, stars.ivar = stars.flux * unit, stars.ivar / unit**2
    found = stars.train(rule)
    np.testing.assert_allclose(found.s2 / unit**2, expected.s2, rtol=1e-4, atol=1e-10)
    np.testing.assert_allclose(found.theta / unit, expected.theta, rtol=1e-4, atol=1e-6)


def test_a_star_without_noise_does_not_decide_about_the_scatter() -> None:
    stars = Stars(seed=16)
    expected = np.sqrt(stars.train(ScatterRule.LIKELIHOOD).s2)
    stars.ivar[0], stars.ivar[1] = 1e12, 1e-30
    found = np.sqrt(stars.train(ScatterRule.LIKELIHOOD).s2)
    assert np.median(np.abs(found - expected)) < 0.1 * np.median(expected)


def test_flux_of_masked_pixels_does_not_matter() -> None:
    stars = Stars(seed=9)
    expected = stars.train()
    stars.flux[stars.ivar == 0] = 1e6
    np.testing.assert_array_equal(stars.train().theta, expected.theta)


def test_median_rule_is_that_of_annies_lasso(stars: Stars) -> None:
    s2 = stars.train(ScatterRule.MEDIAN).s2
    for pixel in range(len(s2)):
        ivar = stars.ivar[:, pixel]
        square = (stars.flux[:, pixel] - stars.design @ least_squares(stars, pixel, 0.0)) ** 2
        assert np.median(square * weights(ivar, s2[pixel])) == pytest.approx(1.0, rel=0.03) or s2[pixel] == 0.0
        assert np.median(square * ivar) > 1.0 or s2[pixel] == 0.0
    assert 0.1 < (s2 == 0.0).mean() < 0.9


@pytest.mark.parametrize("strength", [0.0, 50.0])
def test_a_given_scatter_is_kept(stars: Stars, strength: float) -> None:
    given = stars.s2.copy()
    given[3] = np.inf
    theta, s2, _ = stars.train(regularization=strength, s2=given)
    np.testing.assert_array_equal(s2, given)
    np.testing.assert_array_equal(theta[3], np.eye(1, 6)[0])
    if not strength:
        for pixel in np.flatnonzero(np.isfinite(given)):
            np.testing.assert_allclose(theta[pixel], least_squares(stars, pixel, given[pixel]), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("latent", [0, 2])
def test_noise_is_that_of_the_inverse_normal_matrices(stars: Stars, latent: int) -> None:
    scores = np.random.default_rng(14).normal(size=(120, latent))
    ivar = np.repeat(stars.ivar[:, :1], 30, axis=1) * stars.s2  # covariances that differ by a factor, of one mode
    ivar[:, 4] = 0.0
    s2 = np.zeros(30)
    s2[7] = np.inf
    theta, _, noise = stars.train(ivar=ivar, s2=s2, scores=scores, noise=True)
    assert theta.shape == (30, 6 + latent)
    assert noise is not None
    assert noise.modes.shape == (4, 6, 6)
    design = np.hstack([stars.design, scores])
    for pixel, found in enumerate(noise.covariance()):
        if pixel in {4, 7}:
            assert not found.any()
        else:
            expected = np.linalg.inv(design.T @ (ivar[:, pixel, None] * design))[:6, :6]
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


def test_noise_of_few_trained_pixels_among_many() -> None:
    stars = Stars(n_pixels=200)
    ivar, s2 = np.repeat(stars.ivar[:, :1], 200, axis=1), np.zeros(200)
    ivar[15:, :100] = 0.0
    s2[100:] = np.inf
    s2[[149, 150]] = 0.0
    noise = stars.train(ivar=ivar, s2=s2, noise=True).noise
    assert noise is not None
    assert np.flatnonzero(noise.amplitudes.any(axis=1)).tolist() == [149, 150]
    expected = np.linalg.inv(stars.design.T @ (ivar[:, 150, None] * stars.design))
    np.testing.assert_allclose(noise.covariance()[150], expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


def test_noise_is_the_same_in_blocks_and_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    stars = Stars(n_pixels=2 * BLOCK + 9)
    whole = stars.train(noise=True).noise
    monkeypatch.setattr("apogee_labels.cannon.training.coefficients.BLOCK", 19)
    monkeypatch.setattr("apogee_labels.cannon.noise.noise_modes._PIECE", 7)
    parts = stars.train(noise=True).noise
    assert whole is not None
    assert parts is not None
    full = whole.covariance()
    unit = np.abs(full).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(parts.covariance() / unit, full / unit, atol=1e-3)


@pytest.mark.parametrize("options", [{}, {"noise": True, "regularization": 1.0}, {"noise": True, "bounds": "some"}])
def test_noise_is_kept_of_least_squares_when_it_is_asked_for(stars: Stars, options: dict[str, Any]) -> None:
    if "bounds" in options:
        options = options | {"bounds": np.tile([-0.1, 2.0], (6, 1))}
    assert stars.train(**options).noise is None
    free = np.tile([-np.inf, np.inf], (6, 1))
    assert stars.train(noise=True, bounds=free, regularization=0.0).noise is not None


def test_progress_is_reported_to_the_end() -> None:
    stars, calls = Stars(n_pixels=BLOCK + 1), []
    train_pixels(
        stars.scaled,
        stars.flux,
        stars.ivar,
        order=1,
        regularization=0.0,
        rule=ScatterRule.RESTRICTED,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(BLOCK, BLOCK + 1), (BLOCK + 1, BLOCK + 1)]


def test_scatter_and_zeros_do_not_chase_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []
    train, solve = PixelBlock.find_scatter, PixelBlock.solve

    def counted(block: PixelBlock, s2: Floats, *, hold: bool = False) -> None:
        rounds[-1] += 1
        solve(block, s2, hold=hold)

    def counting(block: PixelBlock, rule: ScatterRule, basis: SharedBasis | None) -> Floats:
        rounds.append(0)
        return train(block, rule, basis)

    monkeypatch.setattr(PixelBlock, "find_scatter", counting)
    monkeypatch.setattr(PixelBlock, "solve", counted)
    Stars(n_stars=60, n_pixels=1000, seed=10).train(regularization=30.0)
    assert max(rounds) < 12
