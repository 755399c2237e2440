"""Models without a fold's stars against training on the others, and paths against single strengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.training.coefficients import BLOCK, Coefficients, train_pixels
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.validation.fold_fits import fold_fits, path_fits

N_STARS, N_PIXELS, N_FOLDS = 150, BLOCK + 6, 4


class Folds:
    """Stars dealt to folds, a few of whose pixels lack stars."""

    def __init__(self) -> None:
        rng = np.random.default_rng(31)
        self.scaled = rng.normal(0, 0.4, (N_STARS, 2))
        theta = rng.normal(0, 0.1, (N_PIXELS, 6)) * (rng.random((N_PIXELS, 6)) < 0.6)
        self.s2 = np.exp(rng.normal(-9.0, 0.5, N_PIXELS))
        self.s2[5] = np.inf
        variance = 1e-4 * np.exp(rng.normal(0, 0.5, (N_STARS, N_PIXELS)))
        self.flux = 1.0 + monomials(2, 2).evaluate(self.scaled) @ theta.T
        self.flux += rng.normal(size=variance.shape) * np.sqrt(variance)
        self.folds = rng.integers(0, N_FOLDS, N_STARS)
        self.ivar = np.where(rng.random(variance.shape) < 0.05, 0.0, 1 / variance)
        self.ivar[:, 9] *= self.folds == 2  # without fold 2, no star is left
        self.ivar[np.flatnonzero(self.folds != 0)[20:], 11] = 0.0
        self.ivar[np.flatnonzero(self.folds != 0)[:20], 11] = 1e4  # 20 stars for six terms without fold 0
        self.allowed = np.ones((N_PIXELS, 6), dtype=bool)
        self.allowed[20:40, [2, 4, 5]] = False
        self.bounds = np.tile([-np.inf, np.inf], (6, 1))
        self.bounds[1] = [-0.05, 0.05]

    def without(self, fold: int, **options: Any) -> Coefficients:
        kept = self.folds != fold
        options = {"regularization": 0.0, "s2": self.s2, "rule": ScatterRule.RESTRICTED} | options
        return train_pixels(self.scaled[kept], self.flux[kept], self.ivar[kept], order=2, **options)


@pytest.fixture(scope="module")
def stars() -> Folds:
    return Folds()


@pytest.mark.parametrize("strength", [0.0, 30.0])
@pytest.mark.parametrize("limited", [False, True])
def test_folds_are_the_models_of_the_other_stars(stars: Folds, strength: float, limited: bool) -> None:
    options: dict[str, Any] = {"regularization": strength}
    if limited:
        options |= {"allowed": stars.allowed, "bounds": stars.bounds}
    found = fold_fits(stars.scaled, stars.flux, stars.ivar, stars.folds, order=2, s2=stars.s2, **options)
    assert found.theta.shape == (N_FOLDS, N_PIXELS, 6)
    for fold in range(N_FOLDS):
        expected = stars.without(fold, **options)
        np.testing.assert_allclose(found.theta[fold], expected.theta, rtol=1e-9, atol=1e-11)
        np.testing.assert_array_equal(found.s2[fold], expected.s2)
    assert np.isinf(found.s2[2, 9])
    assert np.isfinite(found.s2[0, 11])
    assert np.isinf(found.s2[:, 5]).all()


@pytest.mark.parametrize("step", [1, 2])
def test_noise_is_that_of_the_models_of_the_other_stars(
    stars: Folds, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apogee_labels.cannon.validation.fold_fits.MODE_PIXELS", N_PIXELS // step)
    given = stars.s2 * np.where(np.isin(np.arange(N_PIXELS), [9, 11]), np.inf, 1.0)
    noise = stars.without(-1, s2=given, noise=True).noise
    found = fold_fits(stars.scaled, stars.flux, stars.ivar, stars.folds, order=2, s2=given, noise=noise)
    assert found.noise is not None
    assert len(found.noise) == N_FOLDS
    weight = np.where(np.isfinite(given), 1.0 / (1e-4 + given), 0.0)
    for fold in range(N_FOLDS):
        expected = stars.without(fold, s2=given, noise=True).noise
        assert expected is not None
        assert not found.noise[fold].covariance()[[5, 9, 11]].any()
        exact, sums = (one.excess(weight @ one.amplitudes) for one in (expected, found.noise[fold]))
        assert np.linalg.norm(sums - exact) < 0.02 * np.linalg.norm(exact)
        assert np.linalg.norm(noise.excess(weight @ noise.amplitudes) - exact) > 0.1 * np.linalg.norm(exact)


def test_a_pixel_without_the_stars_has_no_noise(stars: Folds) -> None:
    noise = stars.without(-1, noise=True).noise
    found = fold_fits(stars.scaled, stars.flux, stars.ivar, stars.folds, order=2, s2=stars.s2, noise=noise)
    assert found.noise is not None
    assert not found.noise[2].amplitudes[9].any()
    assert found.noise[0].amplitudes[11].any()


def test_noise_is_not_made_where_that_of_all_stars_is_not_given(stars: Folds) -> None:
    found = fold_fits(stars.scaled, stars.flux, stars.ivar, stars.folds, order=1, s2=stars.s2)
    assert found.noise is None


def test_a_path_is_the_fits_of_its_strengths(stars: Folds) -> None:
    strengths = [30.0, 0.0, 300.0]
    paths = path_fits(stars.scaled, stars.flux, stars.ivar, strengths, stars.folds, order=2, s2=stars.s2)
    whole = path_fits(stars.scaled, stars.flux, stars.ivar, strengths, order=2, s2=stars.s2, allowed=stars.allowed)
    assert paths.shape == (3, N_FOLDS, N_PIXELS, 6)
    assert whole.shape == (3, N_PIXELS, 6)
    for number, strength in enumerate(strengths):
        for fold in range(N_FOLDS):
            expected = stars.without(fold, regularization=strength).theta
            np.testing.assert_allclose(paths[number, fold], expected, rtol=1e-7, atol=1e-9)
        expected = stars.without(-1, regularization=strength, allowed=stars.allowed).theta
        np.testing.assert_allclose(whole[number], expected, rtol=1e-7, atol=1e-9)


def test_progress_is_reported_to_the_end(stars: Folds) -> None:
    calls: list[tuple[int, int]] = []
    fold_fits(
        stars.scaled,
        stars.flux,
        stars.ivar,
        stars.folds,
        order=1,
        s2=stars.s2,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(BLOCK, N_PIXELS), (N_PIXELS, N_PIXELS)]


def test_wrong_parameters_are_refused(stars: Folds) -> None:
    with pytest.raises(ValueError, match="folds: expected"):
        fold_fits(stars.scaled, stars.flux, stars.ivar, stars.folds[1:], order=1, s2=stars.s2)
    with pytest.raises(ValueError, match="folds: expected"):
        fold_fits(stars.scaled, stars.flux, stars.ivar, stars.folds - 1, order=1, s2=stars.s2)
    with pytest.raises(ValueError, match="s2: expected"):
        path_fits(stars.scaled, stars.flux, stars.ivar, [1.0], order=1, s2=stars.s2[1:])
    with pytest.raises(ValueError, match="regularization: expected"):
        path_fits(stars.scaled, stars.flux, stars.ivar, [-1.0], order=1, s2=stars.s2)
