"""k-fold validation: labels of stars held back against models trained by hand, and the options that follow from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.noise.empirical_errors import beyond_formal
from apogee_labels.cannon.noise.latent import latent_scores, residuals
from apogee_labels.cannon.training.scatter import weights
from apogee_labels.cannon.training.trainer import Trainer
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.validation.cross_validation import (
    FOLDS,
    candidates,
    choose,
    cross_validate,
    deal,
    worth_validating,
)
from apogee_labels.cannon.validation.validation import Validation
from apogee_labels.core.arrays import Bools, Floats
from tests.apogee_labels.cannon.universe import Universe, Varied, add_label_noise, make_universe


@pytest.fixture(scope="module")
def wide() -> Universe:
    """Many pixels: the coefficients' noise matters."""
    return make_universe(n_pixels=1200)


def validation_of(model: CannonModel) -> Validation:
    assert model.validation is not None
    return model.validation


def part(stars: TrainingSet, rows: Bools) -> TrainingSet:
    arrays = [array[rows] for array in (stars.flux, stars.ivar, stars.labels)]
    return TrainingSet(stars.wavelength, *arrays, stars.label_names)


# How stars are dealt to the folds


def test_twins_are_in_one_fold() -> None:
    labels = np.random.default_rng(1).normal(size=(50, 3))
    twice = np.concatenate([labels, labels[::2], labels[:5]])
    fold = deal(twice)
    np.testing.assert_array_equal(fold[50:75], fold[:50:2])
    np.testing.assert_array_equal(fold[75:], fold[:5])


def test_folds_do_not_depend_on_the_order_of_the_stars() -> None:
    rng = np.random.default_rng(2)
    labels = rng.normal(size=(101, 3))
    order = rng.permutation(101)
    np.testing.assert_array_equal(deal(labels[order]), deal(labels)[order])


def test_folds_are_of_one_size_and_dealt_at_random() -> None:
    labels = np.sort(np.random.default_rng(3).normal(size=(401, 2)), axis=0)
    fold = deal(labels)
    assert sorted(np.bincount(fold)) == [100, 100, 100, 101]
    neighbours = np.mean(fold[1:] == fold[:-1])  # stars that are nearly alike
    assert 0.15 < neighbours < 0.35
    for number in range(FOLDS):
        assert np.abs(labels[fold == number].mean(axis=0) - labels.mean(axis=0)).max() < 0.35


def test_folds_do_not_depend_on_the_order_of_the_labels() -> None:
    labels = np.random.default_rng(4).normal(size=(60, 3))
    np.testing.assert_array_equal(deal(labels[:, [2, 0, 1]]), deal(labels))


@pytest.mark.parametrize(
    ("n_stars", "n_terms", "worth"), [(40, 10, True), (39, 10, False), (5, 2, False), (8, 2, True)]
)
def test_few_stars_are_not_validated(n_stars: int, n_terms: int, worth: bool) -> None:
    assert worth_validating(n_stars, n_terms) is worth


def test_few_stars_are_not_tried_with_components() -> None:
    assert candidates(150, 10) == (0,)
    assert candidates(210, 10) == (0, 4)
    assert candidates(270, 10) == (0, 4, 8)


# Stars held back


@pytest.mark.parametrize("correct", [False, True])
def test_held_out_labels_are_those_of_a_model_of_the_other_stars(universe: Universe, correct: bool) -> None:
    stars = universe.training_set(np.random.default_rng(53), 160)
    full = CannonModel.train(stars, validate=False)
    trainer = Trainer(stars, full.vectorizer)
    fit = trainer.fit()
    found = cross_validate(trainer, {0: fit if correct else fit._replace(noise=None)})
    assert (found.corrected, found.n_components) == (correct, 0)
    for number in range(FOLDS):
        held = found.fold == number
        model = CannonModel.train(part(stars, ~held), scatter=np.sqrt(full.s2), validate=False)
        result = model.infer(stars.flux[held], stars.ivar[held], correct_coefficient_noise=correct)
        apart = np.abs((found.labels[held] - result.labels) / result.raw_errors).max()
        assert apart < (0.05 if correct else 1e-3)  # the modes of the coefficients' noise are those of all stars
        units = result.raw_errors[:, :, None] * result.raw_errors[:, None, :]
        near = 5e-3 if correct else 1e-3
        np.testing.assert_allclose(found.covariance[held] / units, result.covariance / units, atol=near)
        np.testing.assert_allclose(found.chi_sq[held], result.chi_sq, rtol=1e-6)
        np.testing.assert_allclose(found.unexplained[held], result.unexplained, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(found.n_freedom[held], result.n_freedom)
        np.testing.assert_array_equal(found.snr[held], result.snr)


def test_held_out_labels_with_components(universe: Universe) -> None:
    """Scores, coefficients and loadings of the other stars by hand, at the scatter of all."""
    stars = Varied(universe).training_set()
    plain = CannonModel.train(stars, latent_components=0, validate=False)
    trainer = Trainer(stars, plain.vectorizer)
    common = trainer.residuals(trainer.fit())
    fit = trainer.fit(scores=trainer.scores(common, 4))
    found = cross_validate(trainer, {4: fit._replace(noise=None)}, common)
    assert (found.n_components, found.corrected) == (4, False)
    design = trainer.design()
    for number in (0, 3):
        held = found.fold == number
        left = part(stars, ~held)
        own = residuals(design[~held], plain.theta, plain.s2, left.flux, left.ivar)
        columns = np.hstack([design[~held], latent_scores(own, design[~held], count=4)])
        theta = []
        for pixel, s2 in enumerate(fit.s2):
            root = np.sqrt(weights(left.ivar[:, pixel], s2))
            theta.append(np.linalg.lstsq(root[:, None] * columns, root * left.flux[:, pixel])[0])
        coefficients, loadings = np.hsplit(np.array(theta), [10])
        model = replace(
            plain, theta=coefficients, loadings=loadings, s2=fit.s2, training_labels=left.labels, noise=None
        )
        result = model.infer(stars.flux[held], stars.ivar[held])
        assert np.abs((found.labels[held] - result.labels) / result.raw_errors).max() < 1e-3


def test_training_twice_gives_the_same(training_set: TrainingSet, model: CannonModel) -> None:
    again, first = validation_of(CannonModel.train(training_set)), validation_of(model)
    np.testing.assert_array_equal(again.labels, first.labels)
    assert again.trials == first.trials


def test_no_validation_where_it_is_not_wanted_or_not_worth_it(universe: Universe, training_set: TrainingSet) -> None:
    quick = CannonModel.train(training_set, validate=False)
    few = CannonModel.train(universe.training_set(np.random.default_rng(54), 35))
    for model in (quick, few):
        assert model.validation is None
        assert not any(name.startswith(("validation", "rms", "pull")) for name in model.metadata)
        result = model.infer(training_set.flux[:5], training_set.ivar[:5])
        np.testing.assert_array_equal(result.errors, result.raw_errors)


def test_the_penalised_and_the_bounded_are_validated_without_a_correction(training_set: TrainingSet) -> None:
    for model in (
        CannonModel.train(training_set, regularization=100.0),
        CannonModel.train(training_set, bounds={"FE_H": (None, 0.0)}),
    ):
        found = validation_of(model)
        assert (found.corrected, found.n_components, len(found.trials)) == (False, 0, 1)
        assert np.isfinite(found.rms).all()


def test_stars_without_a_spectrum_have_no_part(universe: Universe) -> None:
    stars = universe.training_set(np.random.default_rng(55), 100)
    ivar = stars.ivar.copy()
    ivar[[3, 40]] = 0.0
    found = validation_of(CannonModel.train(replace(stars, ivar=ivar, digest="")))
    np.testing.assert_array_equal(found.truth, np.delete(stars.labels, [3, 40], axis=0))
    assert np.isfinite(found.labels).all()
    assert np.isfinite(found.beyond).all()


def test_pixels_that_a_folds_stars_alone_know_have_no_weight_there(universe: Universe) -> None:
    """Trained on 40 stars, 25 of them of one fold: the others are too few for ten terms, and theta there is no line."""
    stars = universe.training_set(np.random.default_rng(58), 200)
    fold = deal(stars.labels)
    known = np.concatenate([np.flatnonzero(fold == 2)[:25], np.flatnonzero(fold != 2)[:15]])
    ivar = stars.ivar.copy()
    ivar[np.ix_(np.setdiff1d(np.arange(200), known), np.arange(60, 180))] = 0.0
    model = CannonModel.train(replace(stars, ivar=ivar, digest=""))
    assert model.informative.all()
    found = validation_of(model)
    assert (found.n_freedom[known[:25]] < 110).all()  # of 240 pixels 120 are left, less nuisances and labels
    pulls = found.residuals / found.raw_errors
    assert np.sqrt((pulls[known[:25]] ** 2).mean()) < 1.5


@pytest.mark.parametrize("values", [2, 3])
def test_a_label_of_few_values(universe: Universe, values: int) -> None:
    """Fewer folds than usual; of two values, no fold's model knows both."""
    stars = universe.training_set(np.random.default_rng(57), 90)
    labels = stars.labels.copy()
    labels[:, 0] = np.arange(90) % values
    steps: list[int] = []
    model = CannonModel.train(
        replace(stars, labels=labels, digest=""),
        ["TEFF"],
        order=1,
        progress=lambda done, total: steps.append(total - done),
    )
    assert steps[-1] == 0
    if values == 2:
        assert model.validation is None
        return
    found = validation_of(model)
    assert found.n_folds == values
    assert np.isfinite(found.labels).all()
    assert np.isfinite(found.beyond).all()


def test_nothing_can_be_said_without_any_labels(universe: Universe) -> None:
    stars = universe.training_set(np.random.default_rng(56), 100)
    model = CannonModel.train(stars, validate=False)
    trainer = Trainer(stars, model.vectorizer)
    fit = trainer.fit()
    blind = Trainer(replace(stars, ivar=np.zeros_like(stars.ivar), digest=""), model.vectorizer)
    found = cross_validate(blind, {0: fit})
    assert (found.corrected, found.n_components, found.trials) == (False, 0, ())
    assert np.isnan(found.rms).all()
    assert not found.beyond.any()


# What is chosen


def errors_of(sizes: dict[tuple[int, bool], tuple[float, ...]]) -> dict[tuple[int, bool], Floats]:
    """Errors of 400 stars, each setting's a multiple of the same."""
    common = np.random.default_rng(4).normal(size=(400, 2))
    return {setting: common * size for setting, size in sizes.items()}


@pytest.mark.parametrize(
    ("four", "eight", "chosen"),
    [
        ((0.9, 0.9), (0.8, 0.9), 8),
        ((0.8, 0.8), (0.9, 0.8), 4),
        ((0.97, 0.96), (0.98, 0.97), 0),
        ((0.5, 1.03), (0.9, 1.01), 0),
        ((0.5, 1.03), (0.8, 1.01), 8),
        ((1.2, 1.1), (3.0, 1.5), 0),
    ],
)
def test_components_are_taken_for_a_gain_that_costs_no_label(
    four: tuple[float, float], eight: tuple[float, float], chosen: int
) -> None:
    count, corrected, trials = choose(errors_of({(0, False): (1.0, 1.0), (4, False): four, (8, False): eight}))
    assert (count, corrected) == (chosen, False)
    assert [trial.n_components for trial in trials] == [0, 4, 8]
    np.testing.assert_allclose([trial.ratio for trial in trials], [(1.0, 1.0), four, eight])


@pytest.mark.parametrize(
    ("corrected", "taken"),
    [
        ((0.9, 0.9), True),
        ((0.99, 0.99), True),
        ((0.9, 1.0), True),
        ((1.0, 1.0), False),
        ((0.9, 1.02), False),
        ((1.1, 1.1), False),
    ],
)
def test_the_correction_is_taken_where_it_harms_no_label(corrected: tuple[float, float], taken: bool) -> None:
    count, way, trials = choose(errors_of({(0, False): (1.0, 1.0), (0, True): corrected}))
    assert (count, way) == (0, taken)
    assert [(trial.n_components, trial.corrected) for trial in trials] == [(0, False), (0, True)]


@pytest.mark.parametrize(("harm", "taken"), [(0.15, False), (-0.15, True)])
def test_a_small_harm_is_seen_beneath_noisy_labels(harm: float, taken: bool) -> None:
    """Errors change by one per cent: much less than their sums differ by chance, and plain star by star."""
    rng = np.random.default_rng(5)
    own, noise = rng.normal(size=(2, 600, 3))
    without, corrected = own + 4.0 * noise, (1.0 + harm) * own + 4.0 * noise
    change = np.abs(corrected).mean() / np.abs(without).mean() - 1.0
    assert 0.0 < np.sign(harm) * change < 0.02
    assert choose({(0, False): without, (0, True): corrected})[1] is taken


def test_a_gain_within_chance_is_none() -> None:
    """Errors rise by a tenth or fall by as much: sums differ, and stars say nothing."""
    rng = np.random.default_rng(7)
    without = rng.normal(size=(600, 3))
    corrected = without * rng.choice([0.9, 1.09], size=without.shape)
    change = np.minimum(corrected**2, 9.0) - np.minimum(without**2, 9.0)
    chance = change.mean(axis=1).std() / np.sqrt(600)
    assert -chance < change.mean() < 0.0
    assert choose({(0, False): without, (0, True): corrected})[1] is False
    assert choose({(0, False): without, (0, True): corrected * 0.95})[1] is True


def test_each_number_of_components_has_its_own_way() -> None:
    sizes = {(0, False): (1.0, 1.0), (0, True): (1.3, 1.2), (4, False): (0.8, 0.8), (4, True): (0.7, 0.7)}
    assert choose(errors_of(sizes))[:2] == (4, True)
    sizes = {(0, False): (1.0, 1.0), (0, True): (0.6, 0.6), (4, False): (0.8, 0.8), (4, True): (0.9, 0.9)}
    assert choose(errors_of(sizes))[:2] == (0, True)


def test_a_few_wild_stars_do_not_decide() -> None:
    errors = errors_of({(0, False): (1.0, 1.0), (0, True): (0.9, 0.9)})
    errors[0, True][:3] = 1e3
    assert choose(errors)[1] is True


def test_stars_without_labels_are_left_out_of_the_choice() -> None:
    errors = errors_of({(0, False): (1.0, 1.0), (0, True): (0.9, 0.9)})
    errors[0, False][:3], errors[0, True][7] = np.nan, np.nan
    count, corrected, trials = choose(errors)
    assert (count, corrected) == (0, True)
    np.testing.assert_allclose(trials[1].ratio, 0.9)
    assert choose({setting: np.full((5, 2), np.nan) for setting in errors}) == (0, False, ())


# What follows for the labels of new stars


def test_none_where_labels_explain_all(model: CannonModel) -> None:
    found = validation_of(model)
    assert model.loadings.shape == (240, 0)
    assert model.metadata["latent_components"] == found.n_components == 0
    assert all(trial.gain < 0.05 for trial in found.trials)
    assert {(trial.n_components, trial.corrected) for trial in found.trials} == {
        (count, way) for count in (0, 4, 8) for way in (False, True)
    }


def test_some_where_they_do_not(universe: Universe) -> None:
    model = CannonModel.train(Varied(universe).training_set())
    found = validation_of(model)
    assert model.loadings.shape[1] == model.metadata["latent_components"] == found.n_components == 4
    assert min(trial.gain for trial in found.trials if trial.n_components) > 0.5
    new = Varied(universe, n_stars=150, seed=52)
    result = model.infer(new.flux, new.ivar)
    np.testing.assert_array_equal(result.labels, model.infer(new.flux, new.ivar, latent_components=4).labels)


def test_clean_labels_switch_the_correction_on(wide: Universe) -> None:
    model = CannonModel.train(wide.training_set(np.random.default_rng(17), 120, snr=300.0))
    assert validation_of(model).corrected
    assert model.metadata["correct_coefficient_noise"] is True
    rng = np.random.default_rng(18)
    truth = wide.labels(rng, 200)
    flux, ivar = wide.spectra(rng, truth, snr=300.0)
    default, on, off = (model.infer(flux, ivar, correct_coefficient_noise=way) for way in (None, True, False))
    np.testing.assert_array_equal(default.labels, on.labels)
    size = [np.sqrt(((result.labels - truth) ** 2).mean(axis=0)) for result in (default, off)]
    assert (size[0] < size[1]).all()


def test_noisy_labels_switch_it_off(wide: Universe) -> None:
    noisy = add_label_noise(wide.training_set(np.random.default_rng(17), 120, snr=300.0))
    model = CannonModel.train(noisy)
    assert not validation_of(model).corrected
    assert model.metadata["correct_coefficient_noise"] is False
    rng = np.random.default_rng(18)
    truth = wide.labels(rng, 200)
    flux, ivar = wide.spectra(rng, truth, snr=300.0)
    default, on, off = (model.infer(flux, ivar, correct_coefficient_noise=way) for way in (None, True, False))
    np.testing.assert_array_equal(default.labels, off.labels)
    assert (np.abs(default.labels - truth).mean(axis=0) < np.abs(on.labels - truth).mean(axis=0)).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_labels_of_middling_noise_do_not_make_the_default_much_worse(wide: Universe, seed: int) -> None:
    """Between the two: where the correction can raise errors by a third, and validation hardly sees it."""
    stars = wide.training_set(np.random.default_rng(seed), 200)
    model = CannonModel.train(add_label_noise(stars, seed=50 + seed, share=0.4), latent_components=0)
    rng = np.random.default_rng(18)
    truth = wide.labels(rng, 200)
    flux, ivar = wide.spectra(rng, truth)
    default, off = (
        np.abs(model.infer(flux, ivar, correct_coefficient_noise=way).labels - truth).mean(axis=0)
        for way in (None, False)
    )
    assert (default < 1.16 * off).all(), default / off


def test_noisy_training_labels_do_not_make_the_default_worse(universe: Universe) -> None:
    noisy = add_label_noise(Varied(universe).training_set())
    new = Varied(universe, n_stars=150, seed=52)
    error = [
        np.abs(CannonModel.train(noisy, latent_components=count).infer(new.flux, new.ivar).labels - new.truth).mean(
            axis=0
        )
        for count in (None, 0)
    ]
    assert (error[0] < 1.05 * error[1]).all()


def test_errors_stay_what_they_are_where_formal_ones_are_honest(universe: Universe, model: CannonModel) -> None:
    found = validation_of(model)
    np.testing.assert_array_equal(found.beyond[int(found.corrected)], beyond_formal(found.residuals, found.covariance))
    rng = np.random.default_rng(19)
    truth = universe.labels(rng, 300)
    result = model.infer(*universe.spectra(rng, truth))
    assert (np.median(result.errors / result.raw_errors, axis=0) < 1.2).all()
    pulls = np.sqrt((((result.labels - truth) / result.errors) ** 2).mean(axis=0))
    assert ((pulls > 0.8) & (pulls < 1.2)).all()


def test_errors_are_honest_where_formal_ones_are_not(universe: Universe) -> None:
    model = CannonModel.train(Varied(universe).training_set(), latent_components=0)
    new = Varied(universe, n_stars=300, seed=32)
    result = model.infer(new.flux, new.ivar)
    raw, honest = (
        np.sqrt((((result.labels - new.truth) / errors) ** 2).mean(axis=0))
        for errors in (result.raw_errors, result.errors)
    )
    assert (raw > 2.0).all()
    assert ((honest > 0.8) & (honest < 1.3)).all()
    beyond = np.diag(validation_of(model).beyond[int(validation_of(model).corrected)])
    np.testing.assert_allclose(result.errors**2 - result.raw_errors**2, np.tile(beyond, (300, 1)), rtol=1e-6)
