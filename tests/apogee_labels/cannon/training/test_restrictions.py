"""What a user knows about the coefficients: censored, bounded, penalised and given models do as they are told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.training.restrictions import allowed_terms, censored_terms, term_bounds
from apogee_labels.cannon.training.scatter import ScatterRule, weights
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Bools, Floats
from tests.apogee_labels.cannon.universe import NAMES, Universe

VECTORIZER = PolynomialVectorizer(NAMES, 2, np.zeros(3), np.ones(3))
RANGES = [(15200.0, 15400.0), (16500.0, 16600.0)]


def train(training_set: TrainingSet, **arguments: Any) -> CannonModel:
    return CannonModel.train(training_set, validate=False, **arguments)


def within(wavelength: Floats) -> Bools:
    return np.array([any(low <= value < high for low, high in RANGES) for value in wavelength])


@pytest.fixture(scope="module")
def censored(training_set: TrainingSet) -> CannonModel:
    return train(training_set, censors={"FE_H": RANGES})


def test_a_censored_label_acts_on_its_ranges_only(censored: CannonModel, model: CannonModel) -> None:
    acts, of_iron = within(censored.wavelength), ["FE_H" in term for term in censored.vectorizer.terms]
    assert 10 < np.count_nonzero(acts) < 60
    np.testing.assert_array_equal(censored.theta[np.ix_(~acts, of_iron)], 0.0)
    assert censored.theta[np.ix_(acts, of_iron)].all()
    assert censored.theta[:, ~np.array(of_iron)].all()
    np.testing.assert_allclose(censored.theta[acts], model.theta[acts], rtol=1e-5, atol=1e-6)


def test_prediction_does_not_follow_a_censored_label(censored: CannonModel) -> None:
    labels = np.median(censored.training_labels, axis=0)
    change = censored.predict(labels + np.array([0.0, 0.0, 0.4]))[0] - censored.predict(labels)[0]
    acts = within(censored.wavelength)
    np.testing.assert_array_equal(change[~acts], 0.0)
    assert np.abs(change[acts]).min() > 0.0


def test_censored_terms_leave_the_others_the_least_squares_without_them(
    censored: CannonModel, training_set: TrainingSet
) -> None:
    design = censored.vectorizer.design(censored.vectorizer.scaled(training_set.labels))
    allowed = censored_terms(censored.vectorizer, censored.wavelength, {"FE_H": RANGES})
    assert allowed is not None
    for pixel in range(0, 240, 11):
        root = np.sqrt(weights(training_set.ivar[:, pixel], censored.s2[pixel]))
        columns = root[:, None] * design[:, allowed[pixel]]
        expected = np.linalg.lstsq(columns, root * training_set.flux[:, pixel])[0]
        np.testing.assert_allclose(censored.theta[pixel, allowed[pixel]], expected, rtol=1e-8, atol=1e-10)


def test_which_terms_are_censored_by_loops() -> None:
    wavelength = np.array([15000.0, 15200.0, 15399.9, 15400.0, 16550.0])
    allowed = censored_terms(VECTORIZER, wavelength, {"FE_H": RANGES, "LOGG": []})
    assert allowed is not None
    for pixel, value in enumerate(wavelength):
        acts = {"TEFF": True, "LOGG": False, "FE_H": any(low <= value < high for low, high in RANGES)}
        expected = [term == "1" or all(acts[name] for name in term.split("*")) for term in VECTORIZER.terms]
        assert allowed[pixel].tolist() == expected
    assert censored_terms(VECTORIZER, wavelength, None) is censored_terms(VECTORIZER, wavelength, {}) is None


def test_censored_and_penalised_together(training_set: TrainingSet) -> None:
    both = train(training_set, censors={"FE_H": RANGES}, regularization=200.0)
    of_iron = ["FE_H" in term for term in both.vectorizer.terms]
    np.testing.assert_array_equal(both.theta[np.ix_(~within(both.wavelength), of_iron)], 0.0)
    assert both.noise is None


@pytest.mark.parametrize(
    ("censors", "message"),
    [
        ({"M_H": RANGES}, "censors: expected labels of TEFF, LOGG, FE_H, got M_H"),
        ({"FE_H": [(15400.0, 15200.0)]}, r"censors: expected ranges \(low, high\) in Angstrom for FE_H"),
        ({"FE_H": [(15400.0, np.nan)]}, "censors: expected ranges"),
    ],
)
def test_censors_that_mean_nothing(training_set: TrainingSet, censors: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(training_set, censors=censors)


BOUNDS = {"FE_H": (None, 0.0), "TEFF*LOGG": (-0.01, 0.01)}


@pytest.fixture(scope="module")
def bounded(training_set: TrainingSet) -> CannonModel:
    return train(training_set, bounds=BOUNDS)


def test_bounds_are_obeyed_and_reached(bounded: CannonModel, model: CannonModel) -> None:
    iron, mixed = (bounded.vectorizer.terms.index(term) for term in BOUNDS)
    assert bounded.theta[:, iron].max() == 0.0
    assert (np.abs(bounded.theta[:, mixed]) <= 0.01).all()
    assert (model.theta[:, iron] > 0.0).sum() > 20
    free = (model.theta[:, iron] < 0.0) & (np.abs(model.theta[:, mixed]) < 0.01)
    assert np.count_nonzero(free) > 20
    np.testing.assert_allclose(bounded.theta[free], model.theta[free], rtol=1e-5, atol=1e-6)


def test_bounded_coefficients_are_the_best_within_the_bounds(bounded: CannonModel, training_set: TrainingSet) -> None:
    design = bounded.vectorizer.design(bounded.vectorizer.scaled(training_set.labels))
    limits = term_bounds(bounded.vectorizer, BOUNDS)
    assert limits is not None
    for pixel in range(0, 240, 23):
        root = np.sqrt(weights(training_set.ivar[:, pixel], bounded.s2[pixel]))
        expected = lsq_linear(
            root[:, None] * design, root * training_set.flux[:, pixel], limits.T, method="bvls", tol=1e-14
        )
        np.testing.assert_allclose(bounded.theta[pixel], expected.x, rtol=1e-5, atol=1e-7)


def test_labels_of_a_term_in_any_order(bounded: CannonModel, training_set: TrainingSet) -> None:
    same = train(training_set, bounds={"LOGG * TEFF": (-0.01, 0.01), "FE_H": (-np.inf, 0)})
    np.testing.assert_array_equal(same.theta, bounded.theta)


def test_every_term_can_be_bounded() -> None:
    for position, term in enumerate(VECTORIZER.terms):
        limits = term_bounds(VECTORIZER, {term: (-1.0, 2.0)})
        assert limits is not None
        assert limits[position].tolist() == [-1.0, 2.0]
        assert np.isinf(np.delete(limits, position, axis=0)).all()
    assert term_bounds(VECTORIZER, {}) is term_bounds(VECTORIZER, None) is None


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"M_H": (0, 1)}, "bounds: expected terms such as 1, TEFF, LOGG, FE_H, TEFF[*]TEFF, got M_H"),
        ({"TEFF*TEFF*TEFF": (0, 1)}, "got TEFF[*]TEFF[*]TEFF"),
        ({"": (0, 1)}, "bounds: expected terms"),
        ({"FE_H": (1.0, 0.0)}, "bounds: expected the least coefficient of FE_H before the greatest, got 1.0, 0.0"),
        ({"FE_H": (np.nan, 0.0)}, "before the greatest"),
        ({"FE_H": (np.inf, None)}, "before the greatest"),
        ({"FE_H": (None, -np.inf)}, "before the greatest"),
    ],
)
def test_bounds_that_mean_nothing(training_set: TrainingSet, bounds: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(training_set, bounds=bounds)


def test_each_pixel_has_its_own_penalty(training_set: TrainingSet) -> None:
    strength = np.where(np.arange(240) < 100, 0.0, 300.0)
    strength[200:] = 1e9
    mixed, none, some = (train(training_set, regularization=value) for value in (strength, 0.0, 300.0))
    np.testing.assert_allclose(mixed.theta[:100], none.theta[:100], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mixed.theta[100:200], some.theta[100:200], rtol=1e-4, atol=1e-6)
    assert not mixed.theta[200:, 1:].any()
    assert mixed.metadata["regularization"] == "a number a pixel"
    assert (
        mixed.metadata["regularization_digest"]
        != train(training_set, regularization=2 * strength).metadata["regularization_digest"]
    )


@pytest.mark.parametrize(
    "regularization", [-1.0, np.nan, np.inf, np.full(240, -1.0), np.ones(239), np.ones((240, 1)), np.full(240, np.nan)]
)
def test_penalties_that_mean_nothing(training_set: TrainingSet, regularization: Any) -> None:
    with pytest.raises(ValueError, match="regularization: expected"):
        train(training_set, regularization=regularization)


def test_a_given_scatter_is_kept_and_theta_solves_its_normal_equations(training_set: TrainingSet) -> None:
    scatter = np.random.default_rng(81).uniform(0.0, 0.02, 240)
    scatter[3] = 0.0
    given = train(training_set, scatter=scatter)
    np.testing.assert_array_equal(given.s2, scatter**2)
    design = given.vectorizer.design(given.vectorizer.scaled(training_set.labels))
    for pixel in range(240):
        weight = 1.0 / (1.0 / np.maximum(training_set.ivar[:, pixel], 1e-300) + scatter[pixel] ** 2)
        weight[training_set.ivar[:, pixel] == 0.0] = 0.0
        normal = (design * weight[:, None]).T @ design
        expected = np.linalg.solve(normal, design.T @ (weight * training_set.flux[:, pixel]))
        np.testing.assert_allclose(given.theta[pixel], expected, rtol=1e-8, atol=1e-9)
    assert given.metadata["scatter_rule"] == "given"
    assert given.metadata["scatter"] != train(training_set, scatter=scatter + 1e-3).metadata["scatter"]
    assert given.loadings.shape[1] == 0


def test_an_infinite_scatter_leaves_a_pixel_out(training_set: TrainingSet) -> None:
    scatter = np.full(240, 0.01)
    scatter[5:9] = np.inf
    given = train(training_set, scatter=scatter)
    assert np.flatnonzero(~given.informative).tolist() == [5, 6, 7, 8]
    assert given.metadata["n_trained_pixels"] == 236


@pytest.mark.parametrize("scatter", [0.01, np.full(239, 0.01), np.full(240, -0.01), np.full(240, np.nan)])
def test_scatters_that_mean_nothing(training_set: TrainingSet, scatter: Any) -> None:
    with pytest.raises(ValueError, match=r"scatter: expected shape \(240,\) and 0 or more everywhere"):
        train(training_set, scatter=scatter)


@pytest.mark.parametrize("rule", ScatterRule)
def test_predicted_fluxes_are_least_squares_at_the_models_own_scatter(
    training_set: TrainingSet, universe: Universe, rule: ScatterRule
) -> None:
    trained = train(training_set, scatter_rule=rule)
    labels = universe.labels(np.random.default_rng(82), 30)
    known, new = (trained.vectorizer.design(trained.vectorizer.scaled(some)) for some in (training_set.labels, labels))
    predicted = trained.predict(labels)
    for pixel in range(240):
        root = np.sqrt(weights(training_set.ivar[:, pixel], trained.s2[pixel]))
        theta = np.linalg.lstsq(root[:, None] * known, root * training_set.flux[:, pixel])[0]
        np.testing.assert_allclose(predicted[:, pixel], new @ theta, rtol=0.0, atol=1e-8)


def test_the_file_says_what_was_asked_for(training_set: TrainingSet) -> None:
    asked = train(training_set, censors={"FE_H": RANGES}, bounds=BOUNDS)
    assert json.loads(str(asked.metadata["censors"])) == {"FE_H": [list(pair) for pair in RANGES]}
    assert json.loads(str(asked.metadata["bounds"])) == {"FE_H": [None, 0.0], "TEFF*LOGG": [-0.01, 0.01]}


@pytest.mark.parametrize("restriction", [{"regularization": 10.0}, {"bounds": BOUNDS}, {"scatter": np.full(240, 0.01)}])
def test_restrictions_have_no_latent_components(training_set: TrainingSet, restriction: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="latent_components: expected None or 0 together with regularization"):
        train(training_set, latent_components=2, **restriction)
    assert train(training_set, **restriction).loadings.shape == (240, 0)


def test_the_noise_of_coefficients_is_kept_where_all_pixels_have_the_same_terms(training_set: TrainingSet) -> None:
    assert train(training_set).noise is not None
    assert train(training_set, keep_coefficient_noise=False).noise is None
    assert train(training_set, censors={"FE_H": [(15200.0, 15400.0)]}).noise is None


def test_a_term_is_allowed_where_all_its_labels_act() -> None:
    acts = np.array([[True, True, True], [True, False, True], [False, False, False]])
    allowed = allowed_terms(acts, 2)
    factors = monomials(3, 2).factors
    assert allowed[0].all()
    assert [f for f, kept in zip(factors, allowed[1], strict=True) if kept] == [(), (0,), (2,), (0, 0), (0, 2), (2, 2)]
    assert np.flatnonzero(allowed[2]).tolist() == [0]
