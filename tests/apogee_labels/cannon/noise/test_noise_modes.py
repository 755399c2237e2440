"""Compressed covariances against normal matrices inverted one by one, and what they are worth with many labels."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.cannon.noise.noise_modes import MODES, SAMPLE, Modes, NoiseModes, pieces, sample_of
from apogee_labels.cannon.training.coefficients import train_pixels
from apogee_labels.cannon.training.scatter import ScatterRule, weights
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.arrays import Floats


class Many:
    """Stars of many labels, few for each term, and stars that the model has not seen."""

    def __init__(self, n_labels: int, *, n_stars: int, n_pixels: int, seed: int = 61) -> None:
        self.rng = np.random.default_rng(seed)
        self.labels = self.rng.uniform(-0.5, 0.5, (n_stars, n_labels))
        self.terms = monomials(n_labels, 2)
        size = np.array([0.06 / 5.0 ** max(len(factors) - 1, 0) for factors in self.terms.factors])
        self.theta = self.rng.normal(size=(n_pixels, len(self.terms))) * size * self.rng.random((n_pixels, 1)) ** 2
        self.theta[:, 0] = 1.0
        self.s2 = (0.004 * np.exp(self.rng.normal(0.0, 0.4, n_pixels))) ** 2
        self.flux, self.ivar = self.spectra(self.labels)

    def spectra(self, labels: Floats) -> tuple[Floats, Floats]:
        true = self.terms.evaluate(labels) @ self.theta.T
        sigma = 0.01 * np.exp(self.rng.normal(0.0, 0.3, true.shape))
        noise = self.rng.normal(size=true.shape) * np.sqrt(sigma**2 + self.s2)
        return true + noise, np.where(self.rng.random(true.shape) < 0.02, 0.0, sigma**-2.0)

    @cached_property
    def training_set(self) -> TrainingSet:
        names = tuple(f"LABEL{number}" for number in range(self.labels.shape[1]))
        wavelength = np.exp(np.linspace(np.log(15110.0), np.log(16960.0), len(self.s2)))
        return TrainingSet(wavelength, self.flux, self.ivar, self.labels, names)

    def covariances(self, s2: Floats) -> Floats:
        design = self.terms.evaluate(self.labels)
        return np.stack([np.linalg.inv((design * row[:, None]).T @ design) for row in weights(self.ivar, s2).T])


@pytest.mark.parametrize(("n_labels", "n_stars"), [(2, 400), (8, 600)])
def test_sums_over_pixels_are_right_in_all_directions(n_labels: int, n_stars: int) -> None:
    many = Many(n_labels, n_stars=n_stars, n_pixels=400)
    found = train_pixels(
        many.labels, many.flux, many.ivar, order=2, regularization=0.0, rule=ScatterRule.RESTRICTED, noise=True
    )
    assert found.noise is not None
    full = many.covariances(found.s2)
    for sigma in (0.004, 0.01, 0.1):
        weight = 1.0 / (sigma**2 + found.s2)
        exact = np.tensordot(weight, full, axes=1)
        kept = found.noise.excess(weight @ found.noise.amplitudes)
        assert np.linalg.norm(kept - exact) < 2.5e-3 * np.linalg.norm(exact)
        root = np.linalg.inv(np.linalg.cholesky(exact))
        assert np.abs(np.linalg.eigvalsh(root @ (kept - exact) @ root.T)).max() < 0.01  # in its smallest directions


def test_covariances_of_few_modes_are_kept_exactly() -> None:
    rng = np.random.default_rng(1)
    modes = rng.normal(size=(3, 5, 5))
    modes = modes @ np.swapaxes(modes, 1, 2)
    full = np.tensordot(rng.uniform(0.1, 2.0, (40, 3)), modes, axes=1)
    terms, kept = np.ones(5, dtype=bool), NoiseModes(full[::4], 41)
    for pixels in (np.arange(15), np.arange(15, 40)):
        kept.add(pixels, np.pad(full[pixels], ((0, 0), (0, 2), (0, 2)), constant_values=7.0), terms)
    noise = kept.noise()
    np.testing.assert_allclose(noise.covariance()[:40], full, rtol=1e-9, atol=1e-11)
    assert not noise.amplitudes[40].any()
    assert noise.modes.shape == (MODES, 5, 5)


def test_pixels_that_lack_terms_have_zeros_for_them() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(4, 4))
    full = rng.uniform(1.0, 2.0, (20, 1, 1)) * (root @ root.T)
    few = full[:, [0, 2]][:, :, [0, 2]]
    terms = np.array([True, False, True, False])
    placed = np.zeros_like(full)
    placed[:, [[0], [2]], [0, 2]] = few
    kept = NoiseModes(np.concatenate([full[:3], placed[:3]]), 40)
    kept.add(np.arange(20), full, np.ones(4, dtype=bool))
    kept.add(np.arange(20, 40), few, terms)
    np.testing.assert_allclose(kept.noise().covariance(), np.concatenate([full, placed]), rtol=1e-9, atol=1e-11)


def test_modes_are_the_best_for_given_amplitudes() -> None:
    rng = np.random.default_rng(3)
    amplitudes, full = rng.normal(size=(30, MODES)), rng.normal(size=(30, 3, 3))
    found = Modes(3)
    found.add(amplitudes[:10], full[:10], np.ones(3, dtype=bool))
    found.add(amplitudes[10:], full[10:], np.ones(3, dtype=bool))
    size = np.linalg.norm(amplitudes, axis=1)[:, None]
    expected = np.linalg.lstsq(amplitudes / size, full.reshape(30, 9) / size)[0]
    np.testing.assert_allclose(found.modes().reshape(MODES, 9), expected, rtol=1e-8, atol=1e-10)


def test_no_pixels_have_no_noise() -> None:
    noise = NoiseModes(np.empty((0, 3, 3)), 5).noise()
    assert noise.amplitudes.shape == (5, MODES)
    assert not noise.covariance().any()


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (SAMPLE, SAMPLE), (1000, SAMPLE)])
def test_a_sample_is_even(count: int, expected: int) -> None:
    sample = sample_of(3 * np.arange(count))
    assert len(np.unique(sample)) == len(sample) == expected
    if count > SAMPLE:
        assert (np.ptp(np.diff(sample)), sample[0], sample[-1]) == (3, 0, 3 * (count - 1))


def test_pieces_are_all_pixels() -> None:
    assert [len(piece) for piece in pieces(np.arange(130))] == [64, 64, 2]
    np.testing.assert_array_equal(np.concatenate(pieces(np.arange(130))), np.arange(130))
    assert pieces(np.arange(0)) == []


@pytest.fixture(scope="module")
def eleven() -> Many:
    """78 terms, five stars for each."""
    return Many(11, n_stars=390, n_pixels=400)


def rms_and_pulls(many: Many, model: CannonModel) -> list[tuple[Floats, Floats]]:
    """Of stars that the model has not seen, without the correction and with it."""
    truth = many.rng.uniform(-0.5, 0.5, (300, many.labels.shape[1]))
    flux, ivar = many.spectra(truth)
    results = [model.infer(flux, ivar, correct_coefficient_noise=correct) for correct in (False, True)]
    wrong = [result.labels - truth for result in results]
    pulls = [one / result.raw_errors for one, result in zip(wrong, results, strict=True)]
    return [
        (np.sqrt((one**2).mean(axis=0)), np.sqrt((pull**2).mean(axis=0)))
        for one, pull in zip(wrong, pulls, strict=True)
    ]


def test_many_labels_of_few_stars_are_better_and_their_errors_true(eleven: Many) -> None:
    model = CannonModel.train(eleven.training_set, latent_components=0)
    assert isinstance(model.noise, CoefficientNoise)
    assert model.corrects
    (before, pulls_before), (after, pulls_after) = rms_and_pulls(eleven, model)
    assert (after < before).all()
    assert (after / before).mean() < 0.92
    assert pulls_before.min() > 1.3
    assert pulls_before.mean() > 1.45
    assert pulls_after.mean() < 1.33
