"""What must hold whatever the stars: what the labels and the model do not depend on."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apogee_labels.cannon.continuum.normalization import DETECTORS, normalize_rows
from apogee_labels.cannon.inference.inference import Inference
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.arrays import Indices
from tests.apogee_labels.cannon.universe import NAMES, make_universe

UNIVERSE = make_universe(n_pixels=150, seed=6)
STARS = UNIVERSE.training_set(np.random.default_rng(1), 130)
NEW = UNIVERSE.labels(np.random.default_rng(2), 6)
FLUX, IVAR = UNIVERSE.spectra(np.random.default_rng(3), NEW)
HIDDEN = np.where(IVAR == 0.0)
FEW = settings(max_examples=8, deadline=None, derandomize=True, database=None)
SEEDS = st.integers(0, 2**32 - 1)
WAYS = st.sampled_from(
    [
        {"validate": True},
        {"validate": False},
        {"validate": False, "latent_components": 2},
        {"validate": False, "regularization": 50.0},
        {"validate": False, "scatter_rule": "likelihood"},
    ]
)


@pytest.fixture(scope="module")
def trained() -> CannonModel:
    """What the tests of inference ask."""
    return CannonModel.train(STARS)


def reordered(stars: TrainingSet, rows: Indices) -> TrainingSet:
    return replace(stars, flux=stars.flux[rows], ivar=stars.ivar[rows], labels=stars.labels[rows], digest="")


def assert_same_labels(one: Inference, other: Inference, *, tolerance: float = 2e-3) -> None:
    """To a share of their errors: a fit ends within a ten-thousandth, the scatter within a thousandth."""
    assert np.abs((one.labels - other.labels) / other.raw_errors).max() < tolerance
    np.testing.assert_allclose(one.errors, other.errors, rtol=5 * tolerance)
    np.testing.assert_array_equal(one.flags, other.flags)


@FEW
@given(seed=SEEDS, way=WAYS)
def test_order_of_stars_does_not_matter(seed: int, way: dict[str, float]) -> None:
    order = np.random.default_rng(seed).permutation(len(STARS))
    expected, model = (CannonModel.train(stars, **way) for stars in (STARS, reordered(STARS, order)))
    np.testing.assert_allclose(model.theta, expected.theta, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.s2, expected.s2, rtol=1e-3, atol=1e-9)
    made, planted = (loadings @ loadings.T for loadings in (model.loadings, expected.loadings))  # whatever their sign
    np.testing.assert_allclose(made, planted, rtol=1e-3, atol=1e-7)
    assert_same_labels(model.infer(FLUX, IVAR), expected.infer(FLUX, IVAR))
    if expected.validation is not None and model.validation is not None:
        apart = (model.validation.labels - expected.validation.labels[order]) / model.validation.raw_errors
        assert np.abs(apart).max() < 2e-3
        np.testing.assert_allclose(model.validation.beyond, expected.validation.beyond, rtol=1e-2, atol=1e-6)


@FEW
@given(order=st.sampled_from(list(permutations(range(3)))), way=WAYS)
def test_order_of_labels_does_not_matter(order: tuple[int, ...], way: dict[str, float]) -> None:
    expected = CannonModel.train(STARS, **way).infer(FLUX, IVAR)
    turned = CannonModel.train(STARS, [NAMES[k] for k in order], **way).infer(FLUX, IVAR)
    # Folds follow the order of the first label, and with them the empirical errors.
    apart = (turned.labels - expected.labels[:, order]) / expected.raw_errors[:, order]
    assert np.abs(apart).max() < 2e-3
    np.testing.assert_allclose(turned.raw_errors, expected.raw_errors[:, order], rtol=1e-2)
    np.testing.assert_array_equal(turned.flags, expected.flags)


@FEW
@given(value=st.floats(allow_nan=True, allow_infinity=True), way=WAYS)
def test_masked_pixels_do_not_matter_in_training(value: float, way: dict[str, float]) -> None:
    flux = np.where(STARS.ivar == 0.0, value, STARS.flux)
    model, expected = (CannonModel.train(stars, **way) for stars in (replace(STARS, flux=flux), STARS))
    for name in ("theta", "s2", "loadings"):
        np.testing.assert_allclose(getattr(model, name), getattr(expected, name), rtol=1e-6, atol=1e-9)


@settings(FEW, max_examples=30)
@given(value=st.floats(allow_nan=True, allow_infinity=True), derivatives=st.booleans())
def test_masked_pixels_do_not_matter_in_inference(trained: CannonModel, value: float, derivatives: bool) -> None:
    expected = trained.infer(FLUX, IVAR, use_derivatives=derivatives)
    flux = FLUX.copy()
    flux[HIDDEN] = value
    assert_same_labels(trained.infer(flux, IVAR, use_derivatives=derivatives), expected, tolerance=1e-6)


@FEW
@given(exponent=st.floats(-12.0, 12.0), slope=st.floats(-0.3, 0.3))
def test_scale_and_slope_of_the_flux_do_not_matter_after_normalisation(
    trained: CannonModel, exponent: float, slope: float
) -> None:
    """Units and the response of the instrument are the continuum's, which the regions see."""
    wavelength = UNIVERSE.model.wavelength
    regions = np.array([[low + 20.0, high - 20.0] for low, high in DETECTORS])
    scale = 10.0**exponent
    result = [
        trained.infer(*normalize_rows(wavelength, FLUX * factor, IVAR / factor**2, regions)[:2])
        for factor in (1.0, scale)
    ]
    assert_same_labels(result[1], result[0], tolerance=1e-4)
    tilted = 1.0 + slope * (wavelength - 16000.0) / 1000.0
    bent = normalize_rows(wavelength, FLUX * tilted, IVAR / tilted**2, regions)
    apart = (trained.infer(*bent[:2]).labels - result[0].labels) / result[0].raw_errors
    assert np.abs(apart).max() < 0.5  # a slope is no sine


@FEW
@given(seed=SEEDS, count=st.integers(1, 40), rule=st.sampled_from(["restricted", "likelihood"]))
def test_stars_without_a_spectrum_do_not_matter(seed: int, count: int, rule: str) -> None:
    """Their labels only change the unit in which labels are counted."""
    rng = np.random.default_rng(seed)
    nothing = rng.normal(1.0, 5.0, (count, 150)), np.zeros((count, 150)), STARS.labels[rng.integers(0, 130, count)]
    arrays = [np.concatenate(pair) for pair in zip((STARS.flux, STARS.ivar, STARS.labels), nothing, strict=True)]
    more = TrainingSet(STARS.wavelength, *arrays, NAMES)
    model, expected = (CannonModel.train(stars, scatter_rule=rule, validate=False) for stars in (more, STARS))
    np.testing.assert_allclose(model.predict(NEW), expected.predict(NEW), atol=1e-5)
    np.testing.assert_allclose(model.s2, expected.s2, rtol=1e-3, atol=1e-9)
    apart = (model.infer(FLUX, IVAR).labels - expected.infer(FLUX, IVAR).labels) / expected.infer(FLUX, IVAR).errors
    assert np.abs(apart).max() < 2e-3


@FEW
@given(seed=SEEDS, marginalize=st.booleans(), factor=st.floats(0.01, 1.0))
def test_more_noise_never_shrinks_formal_errors(
    trained: CannonModel, seed: int, marginalize: bool, factor: float
) -> None:
    """Where the labels stay what they are, in every direction among them."""
    rng = np.random.default_rng(seed)
    flux, quiet = trained.predict(NEW), np.where(IVAR > 0.0, 4e4, 0.0)
    noisy = quiet * np.where(rng.random(quiet.shape) < 0.5, factor, rng.random(quiet.shape) ** 0.2)
    few, many = (
        trained.infer(flux, ivar, correct_coefficient_noise=False, marginalize_continuum=marginalize).covariance
        for ivar in (quiet, noisy)
    )
    size = np.sqrt(np.einsum("nll->nl", few))
    grown = (many - few) / size[:, :, None] / size[:, None, :]
    assert np.linalg.eigvalsh(grown)[:, 0].min() > -1e-4
