"""Latent variables: found where they were planted, orthogonal to the labels, and fitted with them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import apogee_labels.cannon.noise.latent as module
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.noise.latent import Residuals, latent_scores, residuals
from apogee_labels.cannon.training.coefficients import train_pixels
from apogee_labels.cannon.training.scatter import ScatterRule, weights
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.universe import Universe, Varied


@pytest.fixture(scope="module")
def varied(universe: Universe) -> Varied:
    return Varied(universe)


@pytest.fixture(scope="module")
def plain(varied: Varied) -> CannonModel:
    return CannonModel.train(varied.training_set(), latent_components=0, validate=False)


@pytest.fixture(scope="module")
def latent(varied: Varied) -> CannonModel:
    return CannonModel.train(varied.training_set(), latent_components=2, validate=False)


def found(varied: Varied, model: CannonModel, count: int = 2) -> tuple[Floats, Floats]:
    """Design and latent variables of the training stars."""
    design = model.vectorizer.design(model.vectorizer.scaled(varied.truth))
    common = residuals(design, model.theta, model.s2, varied.flux, varied.ivar)
    return design, latent_scores(common, design, count=count)


def test_scores_are_the_hidden_variables(varied: Varied, plain: CannonModel) -> None:
    design, scores = found(varied, plain)
    terms = np.linalg.qr(design)[0]
    hidden = varied.hidden - terms @ (terms.T @ varied.hidden)  # the labels explain the rest
    rest = hidden - scores @ np.linalg.lstsq(scores, hidden)[0]
    assert (rest.std(axis=0) < 0.1 * hidden.std(axis=0)).all()


def test_scores_are_orthogonal_to_the_terms_and_to_each_other(varied: Varied, plain: CannonModel) -> None:
    design, scores = found(varied, plain, count=5)
    np.testing.assert_allclose(scores.T @ design, 0.0, atol=1e-8)
    np.testing.assert_allclose(scores.T @ scores / len(scores), np.eye(5), atol=1e-10)
    np.testing.assert_allclose(found(varied, plain, count=2)[1], scores[:, :2], atol=1e-10)


def test_a_star_without_a_spectrum_and_untrained_pixels_do_no_harm(varied: Varied, plain: CannonModel) -> None:
    design = plain.vectorizer.design(plain.vectorizer.scaled(varied.truth))
    ivar, s2, flux = varied.ivar.copy(), plain.s2.copy(), varied.flux.copy()
    ivar[7], s2[:20] = 0.0, np.inf
    expected = latent_scores(residuals(design, plain.theta, s2, flux, ivar), design, count=2)
    flux[:, :20], flux[7] = 50.0, 3.0
    scores = latent_scores(residuals(design, plain.theta, s2, flux, ivar), design, count=2)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, expected)


def test_products_of_residuals_are_sums_over_pixels(varied: Varied, plain: CannonModel) -> None:
    design = plain.vectorizer.design(plain.vectorizer.scaled(varied.truth))
    s2 = plain.s2.copy()
    s2[30:40] = np.inf
    common = residuals(design, plain.theta, s2, varied.flux, varied.ivar)
    for one, other in [(5, 5), (9, 2), (299, 31)]:
        product = weight = 0.0
        for pixel in np.flatnonzero(np.isfinite(s2)):
            both = [1 / (1 / varied.ivar[n, pixel] + s2[pixel]) if varied.ivar[n, pixel] else 0.0 for n in (one, other)]
            left = [varied.flux[n, pixel] - design[n] @ plain.theta[pixel] for n in (one, other)]
            product += (both[0] * both[1]) ** 0.5 * left[0] * left[1]
            weight += both[0]
        assert common.gram[one, other] == pytest.approx(product, rel=1e-9)
        assert common.weight[one] == pytest.approx(weight, rel=1e-9)


def test_scores_of_some_stars_are_those_of_their_residuals(varied: Varied, plain: CannonModel) -> None:
    design = plain.vectorizer.design(plain.vectorizer.scaled(varied.truth))
    some = np.arange(300) % 4 != 1
    of_all, of_some = (
        residuals(design[rows], plain.theta, plain.s2, varied.flux[rows], varied.ivar[rows])
        for rows in (slice(None), some)
    )
    scores = latent_scores(of_all, design[some], count=3, stars=some)
    np.testing.assert_allclose(scores, latent_scores(of_some, design[some], count=3), atol=1e-8)


def planted(*, n_stars: int = 400, seed: int = 4) -> tuple[Residuals, Floats]:
    """Residuals of noise and of seven components of different strength, and a design."""
    rng = np.random.default_rng(seed)
    variables = rng.normal(size=(n_stars, 7)) * np.geomspace(3.0, 0.5, 7)
    flux = rng.normal(size=(n_stars, 600)) + variables @ rng.normal(size=(7, 600))
    flux *= rng.uniform(0.5, 2.0, (n_stars, 1))
    gram = np.asfortranarray(np.tril(flux @ flux.T))
    return Residuals(gram, rng.uniform(1e5, 2e5, n_stars)), np.column_stack(
        [np.ones(n_stars), rng.normal(size=n_stars)]
    )


@pytest.mark.parametrize("share", [None, 0.7])
def test_iterated_components_are_those_of_the_decomposition(
    monkeypatch: pytest.MonkeyPatch, share: float | None
) -> None:
    common, design = planted()
    stars = None if share is None else np.random.default_rng(1).random(400) < share
    chosen = design if stars is None else design[stars]
    expected = latent_scores(common, chosen, count=9, stars=stars)  # two are of the noise, near each other
    monkeypatch.setattr(module, "MOST_STARS", 100)
    monkeypatch.setattr(module, "_decomposed", None)
    np.testing.assert_allclose(latent_scores(common, chosen, count=9, stars=stars), expected, atol=1e-7)


def test_iterated_components_do_not_depend_on_the_order_of_the_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    common, design = planted()
    monkeypatch.setattr(module, "MOST_STARS", 100)
    expected = latent_scores(common, design, count=9)
    np.testing.assert_array_equal(latent_scores(common, design, count=9), expected)
    order = np.random.default_rng(2).permutation(400)
    full = common.gram + np.tril(common.gram, -1).T
    moved = Residuals(np.asfortranarray(np.tril(full[np.ix_(order, order)])), common.weight[order])
    np.testing.assert_allclose(latent_scores(moved, design[order], count=9), expected[order], atol=1e-10)


def test_more_components_than_an_iteration_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    common, design = planted(n_stars=120)
    monkeypatch.setattr(module, "MOST_STARS", 100)
    monkeypatch.setattr(module, "_iterated", None)
    scores = latent_scores(common, design, count=118)
    np.testing.assert_allclose(scores.T @ scores / 120, np.eye(118), atol=1e-9)


def test_the_products_of_many_stars_are_not_copied() -> None:
    common, design = planted(n_stars=2100)
    stars = np.arange(2100) > 20
    tracemalloc.start()
    latent_scores(common, design[stars], count=4, stars=stars)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * common.gram.nbytes


@pytest.mark.parametrize("rule", ScatterRule)
def test_coefficients_are_least_squares_with_the_scores_as_columns(varied: Varied, rule: ScatterRule) -> None:
    rng = np.random.default_rng(41)
    scaled, scores = rng.normal(0, 0.4, (300, 3)), rng.normal(size=(300, 3))
    flux, ivar = varied.flux[:, :70], varied.ivar[:, :70]
    theta, s2, _ = train_pixels(scaled, flux, ivar, order=2, regularization=0.0, rule=rule, scores=scores)
    pairs = [scaled[:, i] * scaled[:, j] for i in range(3) for j in range(i, 3)]
    design = np.column_stack([np.ones(300), scaled, *pairs, scores])
    for pixel in range(70):
        root = np.sqrt(weights(ivar[:, pixel], s2[pixel]))
        expected = np.linalg.lstsq(root[:, None] * design, root * flux[:, pixel])[0]
        np.testing.assert_allclose(theta[pixel], expected, rtol=1e-8, atol=1e-10)


def test_loadings_are_of_variables_with_unit_variance(varied: Varied, latent: CannonModel) -> None:
    """Lambda Lambda' is the covariance that the variables make, whatever their rotation; the labels take a little."""
    made, planted = (loadings @ loadings.T for loadings in (latent.loadings, varied.loadings))
    assert np.trace(made) == pytest.approx(np.trace(planted), rel=0.15)
    assert (made * planted).sum() ** 2 > 0.98 * (made**2).sum() * (planted**2).sum()


def test_labels_of_new_stars_are_better_and_their_errors_true(
    universe: Universe, plain: CannonModel, latent: CannonModel
) -> None:
    new = Varied(universe, n_stars=150, seed=32)
    before, after = (model.infer(new.flux, new.ivar) for model in (plain, latent))
    error = [np.abs(result.labels - new.truth).mean(axis=0) for result in (before, after)]
    assert (error[1] < 0.7 * error[0]).all()
    formal = np.sqrt(np.einsum("nll->nl", after.covariance))
    np.testing.assert_allclose(((after.labels - new.truth) / formal).std(axis=0), 1.0, atol=0.35)
    assert np.median(after.reduced_chi_sq) == pytest.approx(1.0, abs=0.1)


def test_the_scatter_that_is_left_is_that_of_the_universe(
    universe: Universe, plain: CannonModel, latent: CannonModel
) -> None:
    assert np.median(latent.s2 / universe.model.s2) == pytest.approx(1.0, abs=0.1)
    assert np.median(plain.s2 / universe.model.s2) > 1.5


def test_components_that_are_not_asked_for_count_as_scatter(universe: Universe, latent: CannonModel) -> None:
    new = Varied(universe, n_stars=40, seed=33)
    for count in range(3):
        rest = (latent.loadings[:, count:] ** 2).sum(axis=1)
        expected = replace(latent, loadings=latent.loadings[:, :count], s2=latent.s2 + rest)
        result = latent.infer(new.flux, new.ivar, latent_components=count)
        for name in ("labels", "covariance", "chi_sq", "flags"):
            np.testing.assert_array_equal(getattr(result, name), getattr(expected.infer(new.flux, new.ivar), name))
    np.testing.assert_array_equal(result.labels, latent.infer(new.flux, new.ivar).labels)


def test_errors_are_not_known_for_another_number_than_was_validated(universe: Universe, varied: Varied) -> None:
    new = Varied(universe, n_stars=10, seed=34)
    latent = CannonModel.train(varied.training_set(), latent_components=2)
    assert np.isfinite(latent.infer(new.flux, new.ivar).errors).all()
    fewer = latent.infer(new.flux, new.ivar, latent_components=1)
    assert np.isnan(fewer.errors).all()
    assert np.isfinite(fewer.raw_errors).all()


@pytest.mark.parametrize("count", [-1, 3])
def test_components_that_the_model_does_not_have(latent: CannonModel, count: int) -> None:
    with pytest.raises(ValueError, match=f"latent_components: expected 0 to 2, got {count}"):
        latent.infer(np.ones(240), np.ones(240), latent_components=count)
