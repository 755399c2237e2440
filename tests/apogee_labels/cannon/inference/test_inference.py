"""Labels against a general optimiser star by star, their errors against their scatter, and every flag."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

import apogee_labels.cannon.inference.inference as module
from apogee_labels.apogee.spectra.masks import StarFlag
from apogee_labels.cannon.continuum.normalization import DETECTORS, basis
from apogee_labels.cannon.flags import ResultFlag
from apogee_labels.cannon.inference.inference import Inference
from apogee_labels.cannon.model import CannonModel
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.universe import Universe


def errors(result: Inference) -> Floats:
    return np.sqrt(np.einsum("nll->nl", result.covariance))


def has(result: Inference, flag: ResultFlag) -> list[bool]:
    return ((result.flags & int(flag)) != 0).tolist()


class Sample:
    """Fifty stars of a universe, and what its own model says about them."""

    def __init__(self, universe: Universe, *, snr: float = 80.0) -> None:
        rng = np.random.default_rng(23)
        self.model = universe.model
        self.truth = universe.labels(rng, 50)
        self.flux, self.ivar = universe.spectra(rng, self.truth, snr=snr)


@pytest.fixture
def sample(universe: Universe) -> Sample:
    return Sample(universe)


def slow_labels(sample: Sample, row: int, *, marginalize: bool) -> tuple[Floats, Floats, float]:
    """Labels, covariance and chi-square of a star by scipy, the continuum's coefficients fitted beside the labels."""
    model, wavelength = sample.model, sample.model.wavelength
    weight = sample.ivar[row] / (1 + sample.ivar[row] * model.s2)
    root = np.sqrt(weight)
    nuisances = np.empty((len(root), 0))
    if marginalize:
        parts = [basis(wavelength) * ((wavelength >= low) & (wavelength < high)) for low, high in DETECTORS]
        nuisances = np.linalg.qr(np.concatenate(parts).T)[0]

    def residuals(x: Floats) -> Floats:
        labels = model.vectorizer.unscaled(x[:3])
        return root * (sample.flux[row] - model.predict(labels)[0] - nuisances @ x[3:])

    start = np.concatenate([model.vectorizer.scaled(sample.truth[row]), np.zeros(nuisances.shape[1])])
    fit = least_squares(residuals, start, method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14, x_scale="jac")
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)[:3, :3] * np.outer(model.vectorizer.scales, model.vectorizer.scales)
    return model.vectorizer.unscaled(fit.x[:3]), covariance, 2 * fit.cost


@pytest.mark.parametrize("marginalize", [False, True])
def test_labels_are_those_of_a_general_optimiser(sample: Sample, marginalize: bool) -> None:
    result = sample.model.infer(sample.flux, sample.ivar, marginalize_continuum=marginalize)
    assert result.converged.all()
    for row in range(0, 50, 5):
        labels, covariance, chi_square = slow_labels(sample, row, marginalize=marginalize)
        assert np.abs((result.labels[row] - labels) / errors(result)[row]).max() < 1e-3
        np.testing.assert_allclose(result.covariance[row], covariance, rtol=1e-3, atol=1e-3 * np.abs(covariance).max())
        assert result.chi_sq[row] == pytest.approx(chi_square, rel=1e-6)


@pytest.mark.parametrize("marginalize", [False, True])
def test_numerical_derivatives_give_the_same_answer(sample: Sample, marginalize: bool) -> None:
    arguments = {"marginalize_continuum": marginalize}
    analytic = sample.model.infer(sample.flux, sample.ivar, **arguments)
    numerical = sample.model.infer(sample.flux, sample.ivar, use_derivatives=False, **arguments)
    assert np.abs((analytic.labels - numerical.labels) / errors(analytic)).max() < 1e-3
    np.testing.assert_allclose(analytic.chi_sq, numerical.chi_sq, rtol=1e-7)
    np.testing.assert_allclose(analytic.covariance, numerical.covariance, rtol=1e-3)


@pytest.mark.parametrize("marginalize", [False, True])
@pytest.mark.parametrize("snr", [30.0, 150.0])
def test_pulls_and_chi_square_are_one(universe: Universe, marginalize: bool, snr: float) -> None:
    rng = np.random.default_rng(29)
    truth = universe.labels(rng, 600)
    flux, ivar = universe.spectra(rng, truth, snr=snr)
    result = universe.model.infer(flux, ivar, marginalize_continuum=marginalize)
    pulls = (result.labels - truth) / errors(result)
    assert pulls.std(axis=0) == pytest.approx(np.ones(3), abs=0.1)
    assert pulls.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.15)
    assert result.reduced_chi_sq.mean() == pytest.approx(1.0, abs=0.02)
    chi_square_of_labels = np.einsum(
        "nk,nkl,nl->n", result.labels - truth, np.linalg.inv(result.covariance), result.labels - truth
    )
    assert chi_square_of_labels.mean() == pytest.approx(3.0, abs=0.3)  # the correlations are right, too


def test_smooth_residual_continuum_does_not_move_labels(universe: Universe) -> None:
    rng = np.random.default_rng(31)
    truth = universe.labels(rng, 20)
    flux, ivar = universe.spectra(rng, truth)
    parts = [
        basis(universe.model.wavelength) * ((universe.model.wavelength >= low) & (universe.model.wavelength < high))
        for low, high in DETECTORS
    ]
    bumps = rng.normal(0, 0.02, (20, 21)) @ np.concatenate(parts)
    clean, bent = (universe.model.infer(spectra, ivar) for spectra in (flux, flux + bumps))
    np.testing.assert_allclose(bent.labels, clean.labels, rtol=1e-5, atol=1e-4)
    naive = universe.model.infer(flux + bumps, ivar, marginalize_continuum=False)
    assert np.abs((naive.labels - clean.labels) / errors(naive)).max() > 5


def test_degrees_of_freedom_count_labels_and_nuisances(sample: Sample) -> None:
    for marginalize, unknowns in ((False, 3), (True, 24)):
        result = sample.model.infer(sample.flux, sample.ivar, marginalize_continuum=marginalize)
        freedom = np.count_nonzero(sample.ivar, axis=1) - unknowns
        np.testing.assert_allclose(result.reduced_chi_sq, result.chi_sq / freedom)
        np.testing.assert_array_equal(result.n_pixels, freedom + unknowns)


def test_chunks_do_not_matter(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sample.model.infer(sample.flux, sample.ivar)
    monkeypatch.setattr(module, "CHUNK", 7)
    monkeypatch.setattr(module, "_FORM_CHUNK", 3)
    result = sample.model.infer(sample.flux, sample.ivar)
    # A product of other shape adds in another order, and a fit ends within a ten-thousandth of an error.
    np.testing.assert_allclose(result.labels, expected.labels, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(result.flags, expected.flags)


def test_order_of_spectra_does_not_matter(sample: Sample) -> None:
    order = np.random.default_rng(3).permutation(50)
    expected = sample.model.infer(sample.flux, sample.ivar)
    result = sample.model.infer(sample.flux[order], sample.ivar[order])
    np.testing.assert_allclose(result.labels, expected.labels[order], rtol=1e-5, atol=1e-5)


def test_flux_of_masked_pixels_does_not_matter(sample: Sample) -> None:
    expected = sample.model.infer(sample.flux, sample.ivar)
    result = sample.model.infer(np.where(sample.ivar > 0, sample.flux, np.nan), sample.ivar)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert not any(has(result, ResultFlag.INVALID_PIXELS))


def test_one_spectrum_and_none(sample: Sample) -> None:
    one = sample.model.infer(sample.flux[0], sample.ivar[0])
    assert one.labels.shape == (1, 3)
    assert one.covariance.shape == (1, 3, 3)
    none = sample.model.infer(sample.flux[:0], sample.ivar[:0])
    assert none.labels.shape == (0, 3)
    assert none.covariance.shape == (0, 3, 3)
    assert len(none) == 0


def test_starts_are_percentiles(sample: Sample) -> None:
    engine = sample.model._engine(marginalize=True, count=0)
    labels = sample.model.vectorizer.unscaled(engine.starts(10))
    np.testing.assert_allclose(labels, np.percentile(sample.model.training_labels, np.arange(5, 100, 10), axis=0))
    only = sample.model.vectorizer.unscaled(engine.starts(1))
    np.testing.assert_allclose(only[0], np.median(sample.model.training_labels, axis=0))


def test_no_information_is_a_flag_and_no_label(sample: Sample) -> None:
    sample.ivar[1] = 0.0
    sample.ivar[2, 9:] = 0.0  # fewer pixels than unknowns
    result = sample.model.infer(sample.flux[:4], sample.ivar[:4])
    assert has(result, ResultFlag.NO_INFORMATION) == [False, True, True, False]
    assert np.isnan(result.labels[1:3]).all()
    assert np.isnan(result.covariance[1:3]).all()
    assert np.isnan(result.chi_sq[1:3]).all()
    assert np.isnan(result.snr[1])
    assert not result.converged[1:3].any()
    assert np.isfinite(result.labels[[0, 3]]).all()
    assert sample.model.infer(sample.flux[:1], 0 * sample.ivar[:1]).n_pixels.tolist() == [0]


@pytest.mark.parametrize("value", [-1.0, np.inf, np.nan])
def test_impossible_inverse_variances_are_flagged(sample: Sample, value: float) -> None:
    sample.ivar[0, :5] = value
    result = sample.model.infer(sample.flux[:2], sample.ivar[:2])
    assert has(result, ResultFlag.INVALID_PIXELS) == [True, False]
    assert np.isfinite(result.labels).all()


def test_outside_the_training_labels(universe: Universe) -> None:
    labels = universe.model.training_labels
    beyond = labels.max(axis=0) + 0.2 * np.ptp(labels, axis=0) * np.array([1.0, 0.0, 0.0])
    flux = universe.model.predict([beyond, np.median(labels, axis=0)])
    result = universe.model.infer(flux, np.full(flux.shape, 1e6))
    assert has(result, ResultFlag.OUTSIDE_TRAINING) == [True, False]
    assert has(result, ResultFlag.AT_BOUND) == [False, False]
    np.testing.assert_allclose(result.labels[0], beyond, rtol=1e-3)


def test_between_the_extremes_and_yet_outside(universe: Universe) -> None:
    """A hot dwarf among stars of which the hot ones are giants: each label is ordinary, the two together are not."""
    rng = np.random.default_rng(41)
    labels = universe.labels(rng, 300)  # TEFF and LOGG rise together
    model = replace(universe.model, training_labels=labels)
    inside, outside = np.median(labels, axis=0), np.percentile(labels, [90, 10, 50], axis=0)[[0, 1, 2], [0, 1, 2]]
    assert (outside > labels.min(axis=0)).all()
    assert (outside < labels.max(axis=0)).all()
    flux = universe.model.predict([inside, outside])
    result = model.infer(flux, np.full(flux.shape, 1e6))
    np.testing.assert_allclose(result.labels, [inside, outside], rtol=1e-3, atol=1e-3)
    assert has(result, ResultFlag.OUTSIDE_TRAINING) == [False, True]


def test_errors_have_what_validation_found_in_quadrature(universe: Universe, model: CannonModel) -> None:
    rng = np.random.default_rng(43)
    flux, ivar = universe.spectra(rng, universe.labels(rng, 8))
    assert model.validation is not None
    for correct in (False, True):
        result = model.infer(flux, ivar, correct_coefficient_noise=correct)
        beyond = np.diag(model.validation.beyond[int(correct)])
        for row in range(8):
            np.testing.assert_allclose(result.raw_errors[row], np.sqrt(np.diag(result.covariance[row])))
            np.testing.assert_allclose(result.errors[row] ** 2, np.diag(result.covariance[row]) + beyond)


@pytest.mark.parametrize("correct", [False, True])
def test_both_ways_of_one_fit_are_those_of_two(universe: Universe, model: CannonModel, correct: bool) -> None:
    rng = np.random.default_rng(44)
    flux, ivar = universe.spectra(rng, universe.labels(rng, 8))
    starflag = np.zeros(8, dtype=np.int64)
    both = model._engine(marginalize=True, count=0).infer_ways(flux, ivar, starflag, module.Options(), (False, True))
    alone = model.infer(flux, ivar, correct_coefficient_noise=correct)
    for name in ("labels", "covariance", "errors", "chi_sq", "flags", "unexplained"):
        np.testing.assert_array_equal(getattr(both[int(correct)], name), getattr(alone, name))
    assert (both[1].raw_errors > both[0].raw_errors).all()


def test_what_is_no_minimum_is_not_corrected(
    universe: Universe, model: CannonModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the edge of the box, and where the steps ran out."""
    labels = model.training_labels
    beyond = np.median(labels, axis=0) + np.array([2.0, 0.0, 0.0]) * np.ptp(labels, axis=0)
    flux = universe.model.predict([beyond, np.median(labels, axis=0)])
    ivar = np.full(flux.shape, 1e4)
    plain, corrected = (model.infer(flux, ivar, correct_coefficient_noise=correct) for correct in (False, True))
    assert has(plain, ResultFlag.AT_BOUND) == [True, False]
    np.testing.assert_array_equal(corrected.labels[0], plain.labels[0])
    np.testing.assert_array_equal(corrected.covariance[0], plain.covariance[0])
    assert (corrected.raw_errors[1] > plain.raw_errors[1]).all()
    slow = module.minimise
    monkeypatch.setattr(module, "minimise", lambda *arguments: slow(*arguments, max_iterations=1))
    plain, corrected = (model.infer(flux, ivar, correct_coefficient_noise=correct) for correct in (False, True))
    np.testing.assert_array_equal(corrected.labels, plain.labels)


def test_labels_cannot_run_away(universe: Universe) -> None:
    rng = np.random.default_rng(37)
    flux = rng.normal(1, 5, (20, len(universe.model.wavelength)))
    result = universe.model.infer(flux, np.full(flux.shape, 1e4))
    low, high = universe.model.training_labels.min(axis=0), universe.model.training_labels.max(axis=0)
    reach = 1.0001 * (high - low)
    assert ((result.labels >= low - reach) & (result.labels <= high + reach)).all()
    assert any(has(result, ResultFlag.AT_BOUND))
    assert all(has(result, ResultFlag.HIGH_CHI_SQUARE))


def test_flags_of_the_spectrum(sample: Sample) -> None:
    sample.ivar[1] /= 100.0
    sample.ivar[2, ::2] = 0.0
    sample.ivar[2, 1:40] = 0.0
    starflag = [0, 0, 0, int(StarFlag.RV_FAIL), int(StarFlag.BRIGHT_NEIGHBOR)]
    result = sample.model.infer(sample.flux[:5], sample.ivar[:5], starflag=starflag)
    assert has(result, ResultFlag.LOW_SNR) == [False, True, False, False, False]
    assert has(result, ResultFlag.FEW_PIXELS) == [False, False, True, False, False]
    assert has(result, ResultFlag.BAD_STARFLAG) == [False, False, False, True, False]


def make_even_model(universe: Universe) -> CannonModel:
    """A model that knows only the square of TEFF: two minima, one either side of the median."""
    theta = universe.model.theta.copy()
    theta[:, [1, 5, 6]] = 0.0  # TEFF, TEFF*LOGG, TEFF*FE_H
    return replace(universe.model, theta=theta)


def test_two_minima_are_told(universe: Universe) -> None:
    model = make_even_model(universe)
    assert model.vectorizer.terms[4:7] == ("TEFF*TEFF", "TEFF*LOGG", "TEFF*FE_H")
    labels = model.vectorizer.offsets + model.vectorizer.scales * np.array([0.3, 0.1, 0.1])
    flux = model.predict(labels)
    result = model.infer(flux, np.full(flux.shape, 1e6), 10)
    assert has(result, ResultFlag.SEVERAL_MINIMA) == [True]
    assert abs(model.vectorizer.scaled(result.labels)[0, 0]) == pytest.approx(0.3, rel=1e-4)


def test_the_best_of_two_minima_is_kept(universe: Universe) -> None:
    model = make_even_model(universe)
    theta = model.theta.copy()
    theta[:, 1] = 0.02 * universe.model.theta[:, 1]
    lopsided = replace(model, theta=theta)
    labels = model.vectorizer.offsets + model.vectorizer.scales * np.array([[0.3, 0.1, 0.1], [-0.3, 0.1, 0.1]])
    flux = lopsided.predict(labels)
    ends = [lopsided.infer(flux, np.full(flux.shape, 1e5), count).labels[:, 0] for count in (1, 10)]
    np.testing.assert_allclose(ends[1], labels[:, 0], rtol=1e-4)
    assert np.abs(ends[0] - ends[1]).max() > 100.0  # a single start ends in the wrong one of either pair


def test_a_label_that_nothing_depends_on(universe: Universe) -> None:
    theta = universe.model.theta.copy()
    depends = [any(name == "FE_H" for name in term.split("*")) for term in universe.model.vectorizer.terms]
    theta[:, depends] = 0.0
    model = replace(universe.model, theta=theta)
    flux = model.predict(np.median(model.training_labels, axis=0))
    result = model.infer(flux, np.full(flux.shape, 1e4))
    assert has(result, ResultFlag.SINGULAR) == [True]
    assert np.isnan(result.covariance).all()


def test_steps_that_run_out_are_told(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = module.minimise
    monkeypatch.setattr(module, "minimise", lambda *arguments: slow(*arguments, max_iterations=1))
    result = sample.model.infer(sample.flux, sample.ivar)
    assert all(has(result, ResultFlag.NOT_CONVERGED))
    assert not result.converged.any()
    assert (result.n_iterations == 1).all()
