"""Resampled labels against pixels repeated and models trained without stars; their errors against what happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import apogee_labels.cannon.validation.resampling as module
from apogee_labels.cannon.continuum.normalization import detector_pixels
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training.restrictions import censored_terms, term_bounds
from apogee_labels.cannon.training.trainer import Trainer
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.validation.resampling import Resampled, block_counts, bootstrap, jackknife
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.universe import Universe, make_universe

LIMITS: dict[str, Any] = {"censors": {"FE_H": [(15900.0, 17000.0)]}, "bounds": {"TEFF": (-0.3, None)}}


class Stars:
    """Stars of a universe that no model has seen."""

    def __init__(self, universe: Universe, count: int, *, seed: int = 8) -> None:
        rng = np.random.default_rng(seed)
        self.truth = universe.labels(rng, count)
        self.flux, self.ivar = universe.spectra(rng, self.truth)


@pytest.fixture(scope="module")
def wide() -> Universe:
    """1200 pixels: enough for blocks."""
    return make_universe(n_pixels=1200)


@pytest.fixture(scope="module")
def few(universe: Universe) -> TrainingSet:
    return universe.training_set(np.random.default_rng(3), 120)


def pulls(found: Resampled, labels: Floats, truth: Floats) -> Floats:
    return np.asarray(np.sqrt((((labels - truth) / found.errors) ** 2).mean(axis=0)))


def test_each_detector_keeps_its_number_of_pixels_and_its_neighbours() -> None:
    wavelength = np.linspace(15050.0, 17000.0, 900)
    counts = block_counts(wavelength, 2000, 10, np.random.default_rng(1))
    inside = detector_pixels(wavelength)
    for part in (*inside, slice(inside[0].start), slice(inside[2].stop, None)):
        assert (counts[:, part].sum(axis=1) == counts[:, part].shape[1]).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(900), abs=0.15)
    chip = counts[:, inside[1]].astype(float)
    correlation = [np.corrcoef(chip[:, :-lag].ravel(), chip[:, lag:].ravel())[0, 1] for lag in (1, 5, 10, 20)]
    np.testing.assert_allclose(correlation, [0.9, 0.5, 0.0, 0.0], atol=0.06)


@pytest.mark.parametrize("options", [{}, {"marginalize_continuum": False}, {"latent_components": 1}])
def test_a_sample_is_the_spectrum_with_its_pixels_repeated(universe: Universe, options: dict[str, Any]) -> None:
    untrained = np.where(np.arange(240) // 3 == 10, np.inf, universe.model.s2)
    model = replace(universe.model, s2=untrained, loadings=np.random.default_rng(2).normal(0, 0.01, (240, 2)))
    stars = Stars(universe, 3)
    stars.flux[1, 50], stars.ivar[1, 51], stars.ivar[1, 52] = np.nan, np.inf, -1.0
    found = bootstrap(model, stars.flux, stars.ivar, 5, block=4, seed=6, **options)
    counts = block_counts(model.wavelength, 5, 4, np.random.default_rng(6))
    samples = []
    for count in counts:
        wavelength, theta, s2, loadings, flux, ivar = (
            np.repeat(array, count, axis=axis)
            for array, axis in (
                (model.wavelength, 0),
                (model.theta, 0),
                (model.s2, 0),
                (model.loadings, 0),
                (stars.flux, 1),
                (stars.ivar, 1),
            )
        )
        repeated = replace(model, wavelength=wavelength, theta=theta, s2=s2, loadings=loadings)
        samples.append(repeated.infer(flux, ivar, **options).labels)
    width = np.std(samples, axis=0)
    assert (np.abs(found.mean - np.mean(samples, axis=0)) < 1e-4 * width).all()
    for row in range(3):
        expected = np.cov(np.array(samples)[:, row], rowvar=False)
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        assert found.covariance[row] / scale == pytest.approx(expected / scale, abs=1e-3)
    assert found.n_samples.tolist() == [5, 5, 5]


def test_errors_are_right_whatever_the_inverse_variances_say(wide: Universe) -> None:
    stars = Stars(wide, 100)
    for factor in (1.0, 9.0):
        ivar = stars.ivar * factor
        sharp = replace(wide.model, s2=wide.model.s2 / factor)
        found, plain = bootstrap(sharp, stars.flux, ivar, 50, block=5), sharp.infer(stars.flux, ivar)
        assert pulls(found, plain.labels, stars.truth) == pytest.approx(np.ones(3), abs=0.15)
        formal = np.sqrt((((plain.labels - stars.truth) / plain.raw_errors) ** 2).mean(axis=0))
        assert formal == pytest.approx(np.full(3, np.sqrt(factor)), rel=0.15)


def test_blocks_keep_correlated_noise_together(wide: Universe) -> None:
    """Lines as wide as the correlation is long: their coefficients and the noise are both running means of 7 pixels."""
    rng, window = np.random.default_rng(4), np.ones(7) / 7.0
    lines = np.apply_along_axis(np.convolve, 0, wide.model.theta[:, 1:], window, "same")
    model = replace(wide.model, theta=np.column_stack([wide.model.theta[:, 0], lines]), s2=np.zeros(1200))
    truth = wide.labels(rng, 100)
    noise = np.apply_along_axis(np.convolve, 1, rng.normal(0.0, 0.05, (100, 1206)), window, "valid")
    flux, ivar = model.predict(truth) + noise, np.full((100, 1200), 7.0 / 0.05**2)
    labels = model.infer(flux, ivar).labels
    single, blocks = (pulls(bootstrap(model, flux, ivar, 50, block=size), labels, truth) for size in (1, 25))
    assert (single > 1.6).all()
    assert blocks == pytest.approx(np.full(3, 1.1), abs=0.2)


def test_a_spectrum_does_not_depend_on_the_others(model: CannonModel, monkeypatch: pytest.MonkeyPatch) -> None:
    stars = Stars(make_universe(), 4)
    stars.ivar[2] = 0.0
    calls: list[tuple[int, int]] = []
    found = bootstrap(model, stars.flux, stars.ivar, 9, progress=lambda *call: calls.append(call))
    monkeypatch.setattr(module, "CHUNK", 4)
    alone = bootstrap(model, stars.flux[3], stars.ivar[3], 9)
    np.testing.assert_allclose(alone.mean[0], found.mean[3], rtol=1e-6)
    np.testing.assert_allclose(alone.covariance[0], found.covariance[3], rtol=1e-3)
    assert found.n_samples.tolist() == [9, 9, 0, 9]
    assert np.isnan(found.mean[2]).all()
    assert np.isnan(found.errors[2]).all()
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(bootstrap(model, stars.flux[:0], stars.ivar[:0])) == 0


@pytest.mark.parametrize(
    ("options", "components"),
    [({}, 0), ({}, 2), ({"regularization": 30.0, **LIMITS}, 0)],
    ids=["plain", "latent", "L1"],
)
def test_groups_are_models_of_the_other_stars(
    universe: Universe, few: TrainingSet, options: dict[str, Any], components: int
) -> None:
    group = module._deal(few.labels, 4, np.random.default_rng(9))
    ivar = few.ivar.copy()
    ivar[(group != 1) & (few.labels[:, 0] < 4875.0), 9] = 0.0  # too few stars without group 1
    few = replace(few, ivar=ivar, digest="")
    model = CannonModel.train(few, latent_components=components, validate=False, **options)
    stars = Stars(universe, 6)
    stars.ivar[5] = 0.0
    found = jackknife(few, model, stars.flux, stars.ivar, 4, seed=9)
    allowed = censored_terms(model.vectorizer, few.wavelength, options.get("censors"))
    bounds = term_bounds(model.vectorizer, options.get("bounds"))
    trainer = Trainer(few, model.vectorizer, options.get("regularization", 0.0), allowed=allowed, bounds=bounds)
    assert np.isfinite(model.s2[9])
    labels = []
    for number in range(4):
        scores = None
        if components:
            scores = trainer.scores(trainer.residuals(trainer.fit()), components, group != number)
        fit = trainer.fit(stars=group != number, s2=model.s2, scores=scores)
        assert np.isinf(fit.s2[9]) or number != 1
        without = replace(model, theta=fit.theta, loadings=fit.loadings, s2=fit.s2)
        labels.append(without.infer(stars.flux, stars.ivar).labels)
    np.testing.assert_allclose(found.mean, np.mean(labels, axis=0), rtol=1e-5, atol=1e-5)
    for row in range(5):
        covariance = sum(np.outer(one[row] - found.mean[row], one[row] - found.mean[row]) for one in labels) * 3 / 4
        np.testing.assert_allclose(found.covariance[row], covariance, rtol=2e-3, atol=1e-9)
    assert found.n_samples.tolist() == [4, 4, 4, 4, 4, 0]
    assert np.isnan(found.errors[5]).all()


def test_the_jackknife_is_the_scatter_over_training_sets(
    universe: Universe, training_set: TrainingSet, model: CannonModel
) -> None:
    stars = Stars(universe, 100)
    found = jackknife(training_set, model, stars.flux, stars.ivar, 20, correct_coefficient_noise=False)
    sets = [universe.training_set(np.random.default_rng(100 + seed), 400) for seed in range(12)]
    models = [CannonModel.train(one, validate=False) for one in sets]
    labels = np.array([one.infer(stars.flux, stars.ivar).labels for one in models])
    scatter = np.sqrt(labels.var(axis=0, ddof=1).mean(axis=0))
    assert np.sqrt((found.errors**2).mean(axis=0)) == pytest.approx(scatter, rel=0.3)


def test_noise_of_the_coefficients_is_that_of_fewer_stars(model: CannonModel, training_set: TrainingSet) -> None:
    assert model.noise is not None
    trainer = module._trainer(training_set, model, None)
    group = module._deal(training_set.labels, 5, np.random.default_rng(1))
    without = next(iter(module._models_without(trainer, model, group)))
    expected = trainer.fit(stars=group != 0, s2=model.s2).noise
    assert without.noise is not None
    assert expected is not None
    ratio = np.einsum("ptt->p", without.noise.covariance()) / np.einsum("ptt->p", expected.covariance())
    assert ratio == pytest.approx(np.ones(240), abs=0.1)


def test_groups_do_not_depend_on_the_order_of_the_stars_and_keep_equal_ones_together(few: TrainingSet) -> None:
    labels = np.vstack([few.labels, few.labels[:30]])
    order = np.random.default_rng(2).permutation(150)
    group = module._deal(labels, 7, np.random.default_rng(5))
    np.testing.assert_array_equal(group[order], module._deal(labels[order], 7, np.random.default_rng(5)))
    np.testing.assert_array_equal(group[120:], group[:30])
    assert np.bincount(group[:120]).tolist() == [18, 17, 17, 17, 17, 17, 17]


def test_progress_of_the_jackknife(model: CannonModel, training_set: TrainingSet) -> None:
    calls: list[tuple[int, int]] = []
    stars = training_set.flux[:1], training_set.ivar[:1]
    jackknife(training_set, model, *stars, 2, progress=lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)]


def test_wrong_parameters_are_refused(model: CannonModel, training_set: TrainingSet) -> None:
    stars = training_set.flux[:2], training_set.ivar[:2]
    for options in ({"n_samples": 1}, {"block": 0}):
        with pytest.raises(ValueError, match="expected n_samples of 2 or more and block of 1 or more"):
            bootstrap(model, *stars, **options)
    for count in (1, 401):
        with pytest.raises(ValueError, match="n_groups: expected 2 to 400"):
            jackknife(training_set, model, *stars, count)
    with pytest.raises(ValueError, match=r"one shape \(N, 240\)"):
        bootstrap(model, stars[0][:, 1:], stars[1][:, 1:])
    with pytest.raises(ValueError, match="n_initialisations: expected 1 or more"):
        bootstrap(model, *stars, n_initialisations=0)
    with pytest.raises(ValueError, match="latent_components: expected 0 to 0"):
        bootstrap(model, *stars, latent_components=1)


def test_a_model_of_another_training_set_is_refused(model: CannonModel, few: TrainingSet) -> None:
    with pytest.raises(ValueError, match="expected the one of the model, with the labels of its 400 stars"):
        jackknife(few, model, few.flux[:1], few.ivar[:1])


@pytest.mark.parametrize("option", ["wavelength", "starflag", "regularisation"])
def test_other_options_are_refused(model: CannonModel, training_set: TrainingSet, option: str) -> None:
    options: dict[str, Any] = {option: np.ones(240), "n_initialisations": 2}
    stars = training_set.flux[:2], training_set.ivar[:2]
    with pytest.raises(TypeError, match=f"expected some of n_initialisations, use_derivatives, .*, got {option};"):
        bootstrap(model, *stars, **options)
    with pytest.raises(TypeError, match=f"got {option};"):
        jackknife(training_set, model, *stars, **options)


def test_other_spectra_of_the_same_labels_are_refused(universe: Universe, few: TrainingSet) -> None:
    model = CannonModel.train(few, ["TEFF", "FE_H"], validate=False)
    flux, ivar = universe.spectra(np.random.default_rng(5), few.labels)
    others = replace(few, flux=flux, ivar=ivar, digest="")
    with pytest.raises(ValueError, match="give that set, read from the file that was trained on") as refused:
        jackknife(others, model, few.flux[:1], few.ivar[:1])
    assert few.digest in str(refused.value)
    assert others.digest in str(refused.value)
    assert np.isfinite(jackknife(few, model, few.flux[:1], few.ivar[:1], 2).errors).all()
    by_hand = replace(model, metadata={})  # nothing says what it was trained on
    assert np.isfinite(jackknife(others, by_hand, few.flux[:1], few.ivar[:1], 2).errors).all()


@pytest.mark.parametrize("kept", [False, True], ids=["dropped by the model", "kept by the model"])
def test_stars_without_spectra_are_left_out(few: TrainingSet, *, kept: bool) -> None:
    ivar = few.ivar.copy()
    ivar[[4, 70]] = 0.0
    blind = replace(few, ivar=ivar, digest="")
    seen = blind.with_spectra()
    assert len(seen) == 118
    dropped = replace(CannonModel.train(blind, validate=False), training_labels=seen.labels)
    model = replace(dropped, training_labels=blind.labels) if kept else dropped
    stars = few.flux[:3], few.ivar[:3]
    found, expected = jackknife(blind, model, *stars, 4), jackknife(seen, dropped, *stars, 4)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-5)
    np.testing.assert_allclose(found.errors, expected.errors, rtol=1e-3)


def test_impossible_and_masked_pixels_are_left_out(model: CannonModel, universe: Universe) -> None:
    stars = Stars(universe, 1)
    stars.flux[0, 17:20] *= 1.1
    hidden = np.zeros((1, 240), dtype=bool)
    hidden[0, 17:20] = True
    expected = bootstrap(model, stars.flux, np.where(hidden, 0.0, stars.ivar), 5)
    masked = bootstrap(model, np.ma.array(stars.flux, mask=hidden), stars.ivar, 5)
    np.testing.assert_array_equal(masked.mean, expected.mean)
    flux, ivar = stars.flux.copy(), stars.ivar.copy()
    flux[0, 17], ivar[0, 18:20] = 1e7, [1e17, np.nan]
    given = flux.copy(), ivar.copy()
    found = bootstrap(model, flux, ivar, 5)
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.covariance, expected.covariance)
    np.testing.assert_array_equal((flux, ivar), given)


def test_strengths_of_pixels_have_to_be_given(few: TrainingSet) -> None:
    strengths = np.full(240, 30.0)
    model = CannonModel.train(few, regularization=strengths, validate=False)
    stars = few.flux[:3], few.ivar[:3]
    with pytest.raises(ValueError, match="which it does not keep"):
        jackknife(few, model, *stars)
    found = jackknife(few, model, *stars, regularization=strengths)
    common = jackknife(few, CannonModel.train(few, regularization=30.0, validate=False), *stars)
    np.testing.assert_allclose(found.errors, common.errors, rtol=1e-3)
