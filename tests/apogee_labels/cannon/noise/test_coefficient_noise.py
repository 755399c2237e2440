"""The noise of the coefficients against sums over pixels, its correction against dense algebra and against true labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.linalg import eigh

from apogee_labels.cannon.inference.quadratic_forms import FormBuilder
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.noise.coefficient_noise import LARGEST_SHARE, corrected
from apogee_labels.cannon.training.scatter import weights
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.universe import Universe, make_universe


@pytest.fixture(scope="module")
def covariance(training_set: TrainingSet, model: CannonModel) -> Floats:
    """C of every pixel, shape (P, T, T), by inverting normal matrices one by one."""
    design = model.vectorizer.design(model.vectorizer.scaled(training_set.labels))
    weight = weights(training_set.ivar, model.s2)
    return np.stack([np.linalg.inv((design * pixel[:, None]).T @ design) for pixel in weight.T])


def test_modes_hold_every_pixels_covariance_to_a_thousandth(model: CannonModel, covariance: Floats) -> None:
    assert model.noise is not None
    kept = model.noise.covariance()
    assert kept.shape == (240, 10, 10)
    size = np.linalg.norm(covariance, axis=(1, 2))
    # What differs between pixels is which stars are masked: chance, that no few modes hold; sums over pixels lose it.
    assert np.median(np.linalg.norm(kept - covariance, axis=(1, 2)) / size) < 0.1
    total = covariance.sum(axis=0)
    assert np.linalg.norm(kept.sum(axis=0) - total) < 1e-3 * np.linalg.norm(total)


@pytest.mark.parametrize("count", [2, 9])
def test_excess_is_the_sum_of_weights_times_covariances(
    model: CannonModel, universe: Universe, covariance: Floats, count: int
) -> None:
    rng = np.random.default_rng(71)
    flux, ivar = universe.spectra(rng, universe.labels(rng, count))
    builder = FormBuilder(model.wavelength, model.theta, model.s2, noise=model.noise, marginalize=True)
    forms = builder.build(flux, ivar, np.empty((3, *flux.shape)))
    assert model.noise is not None
    excess = model.noise.excess(forms.noise)
    for row in range(count):
        expected, exact = np.zeros((10, 10)), np.zeros((10, 10))
        for pixel, kept in enumerate(model.noise.covariance()):
            weight = 1.0 / (1.0 / ivar[row, pixel] + model.s2[pixel]) if ivar[row, pixel] > 0.0 else 0.0
            expected += weight * kept
            exact += weight * covariance[pixel]
        np.testing.assert_allclose(excess[row], expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
        assert np.linalg.norm(excess[row] - exact) < 1e-3 * np.linalg.norm(exact)


class Fits(NamedTuple):
    """Random minima: terms, their derivatives, A and S, of n spectra."""

    terms: Floats
    jacobian: Floats
    a: Floats
    excess: Floats

    @property
    def fisher(self) -> Floats:
        return np.swapaxes(self.jacobian, 1, 2) @ self.a @ self.jacobian


def make_fits(*, size: float = 0.05, count: int = 60, n_terms: int = 10, n_labels: int = 3, seed: int = 4) -> Fits:
    """S is `size` times as large as A."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(2, count, n_terms, 2 * n_terms))
    a, excess = roots @ np.swapaxes(roots, 2, 3) * np.array([1e3, size * 1e3])[:, None, None, None]
    terms, jacobian = rng.normal(0.0, 0.3, (count, n_terms)), rng.normal(size=(count, n_terms, n_labels))
    terms[:, 0], jacobian[:, 0] = 1.0, 0.0
    return Fits(terms, jacobian, a, excess)


def dense(terms: Floats, jacobian: Floats, fisher: Floats, excess: Floats) -> tuple[Floats, Floats]:
    """Step and covariance of one spectrum, direction by direction."""
    slope = jacobian.T @ excess @ terms
    shares, vectors = eigh(jacobian.T @ excess @ jacobian, fisher)
    step, covariance = np.zeros(len(fisher)), np.zeros(fisher.shape)
    for share, vector in zip(shares, vectors.T, strict=True):
        component = vector @ slope
        shrunk = max(0.0, 1.0 - share**2 / component**2) * min(1.0, 0.7 / share)
        step += vector * shrunk * component / (1.0 - shrunk * share)
        covariance += np.outer(vector, vector) / (1.0 - shrunk * share)
    return step, covariance


@pytest.mark.parametrize("size", [0.001, 0.05, 0.6, 5.0])
@pytest.mark.parametrize("n_labels", [1, 3])
def test_correction_is_that_of_dense_algebra(size: float, n_labels: int) -> None:
    fits = make_fits(size=size, n_labels=n_labels)
    step, covariance = corrected(fits.terms, fits.jacobian, fits.fisher, fits.excess, np.ones(60, dtype=bool))
    for row in range(60):
        expected = dense(fits.terms[row], fits.jacobian[row], fits.fisher[row], fits.excess[row])
        np.testing.assert_allclose(step[row], expected[0], rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(covariance[row], expected[1], rtol=1e-7, atol=1e-12)


def test_labels_of_very_different_units_do_not_lose_digits() -> None:
    fits = make_fits()
    units = np.array([1e-6, 1.0, 1e5])
    usable = np.ones(60, dtype=bool)
    step, covariance = corrected(fits.terms, fits.jacobian, fits.fisher, fits.excess, usable)
    other = fits._replace(jacobian=fits.jacobian * units)
    turned = corrected(other.terms, other.jacobian, other.fisher, other.excess, usable)
    np.testing.assert_allclose(turned[0] * units, step, rtol=1e-6)
    np.testing.assert_allclose(turned[1] * units[:, None] * units, covariance, rtol=1e-6, atol=1e-12)


def test_a_small_noise_is_taken_out_in_full() -> None:
    """Where the noise is small and the step is not, the labels are at the minimum of chi2 - v'Sv."""
    fits = make_fits(size=0.002)
    fits.terms[:, 1:] *= 20.0
    step, covariance = corrected(fits.terms, fits.jacobian, fits.fisher, fits.excess, np.ones(60, dtype=bool))
    push = np.swapaxes(fits.jacobian, 1, 2) @ fits.excess
    matrix = fits.fisher - push @ fits.jacobian
    expected = np.linalg.solve(matrix, push @ fits.terms[:, :, None])[..., 0]
    apart = np.linalg.norm(step - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert np.median(apart) < 0.01
    np.testing.assert_allclose(covariance, np.linalg.inv(matrix), rtol=0.02, atol=1e-5)


def test_no_noise_changes_nothing() -> None:
    fits = make_fits()
    step, covariance = corrected(
        fits.terms, fits.jacobian, fits.fisher, np.zeros_like(fits.excess), np.ones(60, dtype=bool)
    )
    assert not step.any()
    np.testing.assert_allclose(covariance, np.linalg.inv(fits.fisher), rtol=1e-9, atol=1e-14)


def test_what_is_not_determined_is_left_alone() -> None:
    fits = make_fits()
    fisher, usable = fits.fisher, np.arange(60) != 5
    expected = corrected(fits.terms, fits.jacobian, fisher, fits.excess, np.ones(60, dtype=bool))
    fisher[5] = 0.0
    step, covariance = corrected(fits.terms, fits.jacobian, fisher, fits.excess, usable)
    assert not step[5].any()
    assert np.isnan(covariance[5]).all()
    np.testing.assert_array_equal(step[usable], expected[0][usable])


@pytest.mark.parametrize("size", [0.3, 1.0, 100.0])
def test_faint_spectra_are_safe(size: float) -> None:
    """A - S is not definite; the variance grows by less than 1 / (1 - 0.7), and no step is more than it was worth."""
    fits = make_fits(size=size)
    step, covariance = corrected(fits.terms, fits.jacobian, fits.fisher, fits.excess, np.ones(60, dtype=bool))
    assert (np.linalg.eigvalsh(fits.a - fits.excess)[:, 0] < 0.0).any()
    grown = np.linalg.eigvals(covariance @ fits.fisher).real
    assert grown.min() > 1.0 - 1e-9
    assert grown.max() < 1.0 / (1.0 - LARGEST_SHARE) + 1e-9
    slope = np.einsum("ntl,nts,ns->nl", fits.jacobian, fits.excess, fits.terms)
    uncorrected = np.linalg.solve(fits.fisher, slope[:, :, None])[..., 0]
    length, limit = (np.einsum("nl,nlm,nm->n", way, fits.fisher, way) for way in (step, uncorrected))
    assert (length <= limit / (1.0 - LARGEST_SHARE) ** 2 * (1.0 + 1e-9)).all()


class Few:
    """A model of 120 clean stars, and stars that it has not seen: what the correction is for."""

    def __init__(self, snr: float) -> None:
        self.universe = make_universe(n_pixels=1200)
        known = self.universe.training_set(np.random.default_rng(17), 120, snr=snr)
        self.model = CannonModel.train(known, validate=False)
        rng = np.random.default_rng(18)
        self.truth = self.universe.labels(rng, 500)
        self.flux, self.ivar = self.universe.spectra(rng, self.truth, snr=snr)

    def rms_and_pulls(self, *, correct: bool) -> tuple[Floats, Floats]:
        result = self.model.infer(self.flux, self.ivar, correct_coefficient_noise=correct)
        wrong = result.labels - self.truth
        return tuple(np.sqrt((values**2).mean(axis=0)) for values in (wrong, wrong / result.raw_errors))


@pytest.mark.parametrize("snr", [40.0, 300.0])
def test_few_clean_stars_give_better_labels_and_true_errors(snr: float) -> None:
    few = Few(snr)
    (before, pulls_before), (after, pulls_after) = (few.rms_and_pulls(correct=correct) for correct in (False, True))
    assert (after < 0.9 * before).all()
    assert pulls_before.max() > 2.0
    assert (pulls_after < 1.35).all()
    assert (pulls_after > 0.9).all()
    wrong = few.universe.model.infer(few.flux, few.ivar).labels - few.truth
    assert (after < 1.3 * np.sqrt((wrong**2).mean(axis=0))).all()  # as the true coefficients would have it


@pytest.fixture(scope="module")
def bright() -> Few:
    return Few(200.0)


@pytest.mark.parametrize("snr", [5.0, 20.0, 80.0, 200.0])
def test_a_model_of_bright_stars_does_no_harm_to_faint_ones(bright: Few, snr: float) -> None:
    flux, ivar = bright.universe.spectra(np.random.default_rng(20), bright.truth, snr=snr)
    size = []
    for correct in (False, True):
        result = bright.model.infer(flux, ivar, correct_coefficient_noise=correct)
        wrong = result.labels - bright.truth
        size.append(np.sqrt((wrong**2).mean(axis=0)))
    assert (size[1] < 1.05 * size[0]).all()
    pulls = np.sqrt(((wrong / result.raw_errors) ** 2).mean(axis=0))
    assert ((pulls > 0.9) & (pulls < 1.25)).all()


def test_faint_stars_of_a_poor_model_keep_finite_labels() -> None:
    few = Few(40.0)
    rng = np.random.default_rng(19)
    flux, ivar = few.universe.spectra(rng, few.truth, snr=2.0)
    plain, freed = (few.model.infer(flux, ivar, correct_coefficient_noise=correct) for correct in (False, True))
    assert np.isfinite(freed.labels).all()
    known = np.isfinite(freed.covariance).all(axis=(1, 2))
    assert np.count_nonzero(known) > 450
    assert (np.linalg.eigvalsh(freed.covariance[known])[:, 0] > 0.0).all()
    assert (freed.raw_errors[known] >= plain.raw_errors[known] * (1.0 - 1e-9)).all()
