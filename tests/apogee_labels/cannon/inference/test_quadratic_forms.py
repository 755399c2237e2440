"""The quadratic forms against sums over pixels, and the marginalised continuum against a dense fit with its columns."""

from __future__ import annotations

import numpy as np
import pytest

import apogee_labels.cannon.inference.quadratic_forms as module
from apogee_labels.cannon.continuum.normalization import DETECTORS, basis
from apogee_labels.cannon.inference.quadratic_forms import FormBuilder, QuadraticForms, join
from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.core.arrays import Floats


class Spectra:
    """A model of random coefficients on a grid over the three detectors, and random spectra."""

    def __init__(self, *, n_pixels: int = 150, n_terms: int = 6, n_spectra: int = 4, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.wavelength = np.linspace(15050.0, 17000.0, n_pixels)  # some pixels are on no detector
        self.theta = rng.normal(0, 0.1, (n_pixels, n_terms))
        self.s2 = rng.uniform(0, 1e-3, n_pixels)
        self.s2[rng.random(n_pixels) < 0.1] = np.inf
        self.flux = rng.normal(1, 0.1, (n_spectra, n_pixels))
        self.ivar = rng.uniform(0, 1e4, (n_spectra, n_pixels)) * (rng.random((n_spectra, n_pixels)) < 0.9)
        self.terms = rng.normal(size=n_terms - 1)

    def build(
        self, *, marginalize: bool, loadings: Floats | None = None, noise: CoefficientNoise | None = None
    ) -> QuadraticForms:
        builder = FormBuilder(
            self.wavelength, self.theta, self.s2, loadings=loadings, noise=noise, marginalize=marginalize
        )
        flux, ivar = self.flux[:, builder.informative], self.ivar[:, builder.informative]
        return builder.build(flux, ivar, np.empty((3, *flux.shape)))

    def weight(self, row: int) -> Floats:
        good = (self.ivar[row] > 0) & np.isfinite(self.s2)
        return np.where(good, 1 / (1 / np.where(good, self.ivar[row], 1.0) + np.where(good, self.s2, 0)), 0.0)

    def residual(self, row: int) -> Floats:
        return self.flux[row] - self.theta[:, 0] - self.theta[:, 1:] @ self.terms


def value(forms: QuadraticForms, row: int, terms: Floats) -> float:
    return float(forms.c[row] - 2 * forms.b[row] @ terms + terms @ forms.a[row] @ terms)


def nuisance_columns(wavelength: Floats) -> Floats:
    """Every detector's sines and cosines, 0 elsewhere, shape (P, 21)."""
    columns = [basis(wavelength) * ((wavelength >= low) & (wavelength < high)) for low, high in DETECTORS]
    return np.concatenate(columns).T


@pytest.fixture
def spectra() -> Spectra:
    return Spectra()


def test_chi_square_is_the_sum_over_pixels(spectra: Spectra) -> None:
    forms = spectra.build(marginalize=False)
    for row in range(4):
        expected = (spectra.weight(row) * spectra.residual(row) ** 2).sum()
        assert value(forms, row, spectra.terms) == pytest.approx(expected, rel=1e-10)
    assert forms.n_pixels.tolist() == [np.count_nonzero(spectra.weight(row)) for row in range(4)]
    assert not forms.n_nuisances.any()


def test_marginalised_chi_square_is_that_of_the_best_continuum(spectra: Spectra) -> None:
    forms, columns = spectra.build(marginalize=True), nuisance_columns(spectra.wavelength)
    for row in range(4):
        root = np.sqrt(spectra.weight(row))
        right = root * spectra.residual(row)
        best = np.linalg.lstsq(root[:, None] * columns, right)[0]
        expected = ((right - root * (columns @ best)) ** 2).sum()
        assert value(forms, row, spectra.terms) == pytest.approx(expected, rel=1e-7)
    assert forms.n_nuisances.tolist() == [21] * 4


def test_best_terms_are_those_of_a_dense_fit_with_the_nuisances(spectra: Spectra) -> None:
    forms, columns = spectra.build(marginalize=True), nuisance_columns(spectra.wavelength)
    for row in range(4):
        root = np.sqrt(spectra.weight(row))
        design = root[:, None] * np.hstack([spectra.theta[:, 1:], columns])
        dense = np.linalg.lstsq(design, root * (spectra.flux[row] - spectra.theta[:, 0]))[0][:5]
        np.testing.assert_allclose(np.linalg.solve(forms.a[row], forms.b[row]), dense, rtol=1e-7)
        covariance = np.linalg.inv(design.T @ design)[:5, :5]
        np.testing.assert_allclose(np.linalg.inv(forms.a[row]), covariance, rtol=1e-5)


@pytest.mark.parametrize("marginalize", [True, False])
def test_latent_variables_are_fitted_under_their_prior(spectra: Spectra, *, marginalize: bool) -> None:
    """Each latent variable is a column more, and a datum more: that it is 0, with an error of 1."""
    loadings = np.random.default_rng(3).normal(0, 0.03, (len(spectra.theta), 3))
    forms = spectra.build(marginalize=marginalize, loadings=loadings)
    columns = nuisance_columns(spectra.wavelength) if marginalize else np.empty((len(loadings), 0))
    prior = np.hstack([np.zeros((3, columns.shape[1])), np.eye(3)])
    for row in range(4):
        root = np.sqrt(spectra.weight(row))
        right = np.append(root * spectra.residual(row), np.zeros(3))
        matrix = np.vstack([root[:, None] * np.hstack([columns, loadings]), prior])
        best = np.linalg.lstsq(matrix, right)[0]
        expected = ((right - matrix @ best) ** 2).sum()
        assert value(forms, row, spectra.terms) == pytest.approx(expected, rel=1e-7)
    assert forms.a.shape == (4, 5, 5)
    assert forms.n_nuisances.tolist() == [21 if marginalize else 0] * 4


def test_a_detector_with_few_good_pixels_or_none(spectra: Spectra) -> None:
    first = (spectra.wavelength >= DETECTORS[0][0]) & (spectra.wavelength < DETECTORS[0][1])
    usable = np.flatnonzero(first & np.isfinite(spectra.s2))
    spectra.ivar[0, first] = 0.0
    spectra.ivar[1, first] = 0.0
    spectra.ivar[1, usable[::12][:3]] = 1e4
    forms, columns = spectra.build(marginalize=True), nuisance_columns(spectra.wavelength)
    assert forms.n_nuisances.tolist() == [14, 17, 21, 21]
    for row in range(2):  # three pixels for seven nuisances: they fit exactly, and tell nothing
        root = np.sqrt(spectra.weight(row))
        right = root * spectra.residual(row)
        best = np.linalg.lstsq(root[:, None] * columns, right)[0]
        expected = ((right - root * (columns @ best)) ** 2).sum()
        assert value(forms, row, spectra.terms) == pytest.approx(expected, rel=1e-5)


def test_a_spectrum_without_information_makes_zeros(spectra: Spectra) -> None:
    spectra.ivar[2] = 0.0
    forms = spectra.build(marginalize=True)
    assert not forms.a[2].any()
    assert not forms.b[2].any()
    assert forms.n_pixels[2] == forms.n_nuisances[2] == 0


def make_noise(n_pixels: int = 150, n_terms: int = 6) -> CoefficientNoise:
    rng = np.random.default_rng(5)
    return CoefficientNoise(rng.uniform(0.0, 1.0, (n_pixels, 3)), rng.normal(size=(3, n_terms, n_terms)))


def assert_equal(one: QuadraticForms, other: QuadraticForms) -> None:
    for name in QuadraticForms._fields:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("marginalize", [True, False])
@pytest.mark.parametrize("latent", [0, 3])
def test_ways_to_the_products_are_the_same(monkeypatch: pytest.MonkeyPatch, *, marginalize: bool, latent: int) -> None:
    """Of many spectra from products that are kept or made in pieces, and of each spectrum by itself."""
    spectra = Spectra(n_spectra=11)
    loadings = np.random.default_rng(3).normal(0, 0.03, (150, latent))
    arguments = {"marginalize": marginalize, "loadings": loadings, "noise": make_noise()}
    expected = spectra.build(**arguments)
    assert expected.noise.shape == (11, 3)
    monkeypatch.setattr(module, "CACHED_BYTES", 64 * 15 * 20)
    assert_equal(spectra.build(**arguments), expected)
    monkeypatch.setattr(module, "FEW", 11)
    assert_equal(spectra.build(**arguments), expected)


@pytest.mark.parametrize("n_spectra", [4, 11])
def test_noise_of_the_coefficients_is_summed_with_the_weights(n_spectra: int) -> None:
    spectra, noise = Spectra(n_spectra=n_spectra), make_noise()
    forms = spectra.build(marginalize=True, noise=noise)
    for row in range(n_spectra):
        expected = sum(
            weight * amplitudes for weight, amplitudes in zip(spectra.weight(row), noise.amplitudes, strict=True)
        )
        np.testing.assert_allclose(forms.noise[row], expected, rtol=1e-10)


@pytest.mark.parametrize("marginalize", [True, False])
@pytest.mark.parametrize("n_spectra", [4, 11])
def test_no_lines_is_the_best_continuum_alone(n_spectra: int, *, marginalize: bool) -> None:
    spectra = Spectra(n_spectra=n_spectra)
    forms = spectra.build(marginalize=marginalize, loadings=np.random.default_rng(3).normal(0, 0.03, (150, 2)))
    columns = nuisance_columns(spectra.wavelength) if marginalize else np.zeros((150, 1))
    for row in range(n_spectra):
        root = np.sqrt(spectra.weight(row))
        right = root * (spectra.flux[row] - 1.0)
        best = np.linalg.lstsq(root[:, None] * columns, right)[0]
        assert forms.flat[row] == pytest.approx(((right - root * (columns @ best)) ** 2).sum(), rel=1e-7)


def test_no_spectra_at_all(spectra: Spectra) -> None:
    spectra.flux, spectra.ivar = spectra.flux[:0], spectra.ivar[:0]
    forms = spectra.build(marginalize=True, noise=make_noise())
    assert (forms.a.shape, forms.noise.shape) == ((0, 5, 5), (0, 3))


def test_joined_forms_keep_their_order(spectra: Spectra) -> None:
    forms = spectra.build(marginalize=False)
    joined = join([forms, forms])
    np.testing.assert_array_equal(joined.c, np.tile(forms.c, 2))
