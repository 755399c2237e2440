"""The model as its users meet it: train, predict, infer, write, read."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training.coefficients import METHOD_VERSION
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.errors import BadInputError, Reason
from tests.apogee_labels.cannon.universe import NAMES, Universe, make_universe


def test_training_finds_the_universe(universe: Universe, model: CannonModel) -> None:
    labels = universe.labels(np.random.default_rng(1), 50)
    difference = model.predict(labels) - universe.model.predict(labels)
    assert np.sqrt((difference**2).mean()) < 0.003
    assert np.median(model.s2 / universe.model.s2) == pytest.approx(1.0, abs=0.1)
    assert model.informative.all()


def test_labels_of_new_stars(universe: Universe, model: CannonModel) -> None:
    rng = np.random.default_rng(2)
    truth = universe.labels(rng, 100)
    result = model.infer(*universe.spectra(rng, truth))
    errors = np.sqrt(np.einsum("nll->nl", result.covariance))
    assert ((result.labels - truth) / errors).std(axis=0) == pytest.approx(np.ones(3), abs=0.3)


def test_labels_keep_the_order_asked_for(universe: Universe, model: CannonModel, training_set: TrainingSet) -> None:
    turned = CannonModel.train(training_set, label_names=["FE_H", "TEFF", "LOGG"])
    assert turned.label_names == ("FE_H", "TEFF", "LOGG")
    truth = universe.labels(np.random.default_rng(3), 10)
    flux, ivar = universe.spectra(np.random.default_rng(4), truth)
    np.testing.assert_allclose(turned.infer(flux, ivar).labels, model.infer(flux, ivar).labels[:, [2, 0, 1]], rtol=1e-4)
    np.testing.assert_allclose(turned.predict(truth[:, [2, 0, 1]]), model.predict(truth), atol=1e-7)


def test_fewer_labels_than_the_set_has(training_set: TrainingSet) -> None:
    model = CannonModel.train(training_set, label_names=["LOGG"], order=3)
    assert model.theta.shape == (240, 4)
    assert model.vectorizer.terms[-1] == "LOGG*LOGG*LOGG"


def test_the_main_parameters_go_without_their_names(training_set: TrainingSet) -> None:
    model, same = (
        CannonModel.train(training_set, ["LOGG", "TEFF"], 1, 1e3),
        CannonModel.train(training_set, label_names=["LOGG", "TEFF"], order=1, regularization=1e3),
    )
    np.testing.assert_array_equal(model.theta, same.theta)
    assert (model.metadata["label_names"], model.metadata["regularization"]) == ("LOGG,TEFF", 1e3)


def test_pixels_of_few_stars_do_not_ruin_labels(universe: Universe, training_set: TrainingSet) -> None:
    """Eleven of 400 stars in ten pixels: their ten coefficients would fit anything."""
    ivar = training_set.ivar.copy()
    ivar[11:, 100:110] = 1e-12
    spoilt = CannonModel.train(replace(training_set, ivar=ivar), latent_components=0)
    assert np.isinf(spoilt.s2[100:110]).all()
    truth = universe.labels(np.random.default_rng(21), 60)
    result = spoilt.infer(*universe.spectra(np.random.default_rng(22), truth))
    pulls = (result.labels - truth) / np.sqrt(np.einsum("nll->nl", result.covariance))
    assert (pulls.std(axis=0) < 1.4).all()


def test_prediction_of_one_and_of_many(model: CannonModel) -> None:
    labels = model.training_labels[:3]
    np.testing.assert_allclose(model.predict(labels)[1:2], model.predict(labels[1]))
    with pytest.raises(ValueError, match=r"labels: expected shape \(N, 3\)"):
        model.predict([1.0, 2.0])


def test_metadata_says_what_made_it(model: CannonModel, training_set: TrainingSet) -> None:
    assert model.metadata["training_set"] == training_set.digest
    assert model.metadata["label_names"] == "TEFF,LOGG,FE_H"
    assert model.metadata["scatter_rule"] == "restricted"
    assert model.metadata["n_stars"] == 400
    assert model.metadata["method_version"] == METHOD_VERSION
    assert model.with_metadata(identity="abc").metadata["identity"] == "abc"
    assert "identity" not in model.metadata


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": 0}, "order: expected 1 or more"),
        ({"regularization": -1.0}, "regularization: expected finite numbers, 0 or more"),
        ({"regularization": np.nan}, "regularization: expected finite numbers, 0 or more"),
        ({"scatter_rule": "guess"}, "guess"),
        ({"label_names": ["M_H"]}, "label names: expected some of TEFF, LOGG, FE_H, got M_H"),
        ({"order": 8}, "more stars with a spectrum than the 165 terms .* got 60 of 60"),
    ],
)
def test_parameters_out_of_range(universe: Universe, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CannonModel.train(universe.training_set(np.random.default_rng(5), 60), **changes)


def test_no_pixel_that_can_be_trained(universe: Universe) -> None:
    small = universe.training_set(np.random.default_rng(6), 40)
    ivar = np.where(np.arange(40)[:, None] % 8 == np.arange(240) % 8, small.ivar, 0.0)  # five stars a pixel
    with pytest.raises(BadInputError, match="no pixel has enough stars") as caught:
        CannonModel.train(replace(small, ivar=ivar))
    assert caught.value.reason is Reason.BAD_TRAINING_SET


def test_untrained_pixels_predict_the_continuum_and_do_not_matter(
    training_set: TrainingSet, universe: Universe
) -> None:
    ivar = training_set.ivar.copy()
    ivar[:, 50:60] = 0.0
    model = CannonModel.train(replace(training_set, ivar=ivar))
    assert np.isinf(model.s2[50:60]).all()
    np.testing.assert_array_equal(model.predict(model.training_labels)[:, 50:60], 1.0)
    flux, weights = universe.spectra(np.random.default_rng(7), universe.labels(np.random.default_rng(8), 5))
    expected = model.infer(flux, weights)
    flux[:, 50:60] = -3.0
    np.testing.assert_array_equal(model.infer(flux, weights).labels, expected.labels)


@pytest.mark.parametrize("suffix", ["fits", "model"])
def test_a_file_gives_the_same_model(model: CannonModel, tmp_path: Path, universe: Universe, suffix: str) -> None:
    path = tmp_path / f"model.{suffix}"
    model.with_metadata(identity="0123").write(path)
    copy = CannonModel.read(path)
    for name in ("wavelength", "theta", "s2", "training_labels"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(model, name))
    np.testing.assert_array_equal(copy.vectorizer.scales, model.vectorizer.scales)
    np.testing.assert_array_equal(copy.vectorizer.offsets, model.vectorizer.offsets)
    assert copy.label_names == NAMES
    assert copy.metadata == {**model.metadata, "identity": "0123"}
    flux, ivar = universe.spectra(np.random.default_rng(9), model.training_labels[:5])
    np.testing.assert_array_equal(copy.infer(flux, ivar).labels, model.infer(flux, ivar).labels)


def test_spectra_of_another_length(model: CannonModel) -> None:
    with pytest.raises(BadInputError, match="the model's 240 pixels, got 100: give wavelength=") as caught:
        model.infer(np.ones((1, 100)), np.ones((1, 100)))
    assert caught.value.reason is Reason.BAD_MODEL
    with pytest.raises(ValueError, match="flux and ivar of one shape"):
        model.infer(np.ones((1, 240)), np.ones((2, 240)))


def test_arguments_out_of_range(model: CannonModel) -> None:
    with pytest.raises(ValueError, match="n_initialisations: expected 1 or more, got 0"):
        model.infer(np.ones(240), np.ones(240), 0)
    silent = replace(model, noise=None, validation=None)
    with pytest.raises(ValueError, match="correct_coefficient_noise: expected None or False"):
        silent.infer(np.ones(240), np.ones(240), correct_coefficient_noise=True)
    with pytest.raises(ValueError, match="latent_components: expected 0 to 0, got 1"):
        model.infer(np.ones(240), np.ones(240), latent_components=1)


@pytest.mark.parametrize("order", [0, -1, 11])
def test_orders_that_a_model_cannot_have(training_set: TrainingSet, order: int) -> None:
    with pytest.raises(ValueError, match="order: expected 1"):
        CannonModel.train(training_set, order=order)


def test_starflags_are_one_or_one_for_each(model: CannonModel) -> None:
    flux = np.ones((3, 240))
    for wrong in ([0, 0], [0.5, 0.0, 0.0], [np.nan] * 3):
        with pytest.raises(ValueError, match="starflag: expected one integer or 3 of them"):
            model.infer(flux, np.ones_like(flux), starflag=wrong)
    assert (model.infer(flux, np.ones_like(flux), starflag=[0, 1, 0]).flags & (1 << 18) != 0).tolist() == [0, 1, 0]


def test_masked_pixels_have_no_weight(universe: Universe, model: CannonModel) -> None:
    rng = np.random.default_rng(31)
    flux, ivar = universe.spectra(rng, universe.labels(rng, 4))
    hidden = rng.random(flux.shape) < 0.2
    expected = model.infer(flux, np.where(hidden, 0.0, ivar))
    spoilt = np.ma.array(np.where(hidden, 0.3, flux), mask=hidden)
    np.testing.assert_allclose(model.infer(spoilt, ivar).labels, expected.labels, rtol=1e-12)
    np.testing.assert_allclose(model.infer(flux, np.ma.array(ivar, mask=hidden)).labels, expected.labels, rtol=1e-12)


def test_single_precision_is_brought_to_double(universe: Universe, model: CannonModel, monkeypatch: Any) -> None:
    rng = np.random.default_rng(32)
    flux, ivar = (array.astype(np.float32) for array in universe.spectra(rng, universe.labels(rng, 7)))
    expected = model.infer(flux.astype(np.float64), ivar.astype(np.float64))
    monkeypatch.setattr("apogee_labels.cannon.model.CHUNK", 3)
    result = model.infer(flux, ivar)
    np.testing.assert_allclose(result.labels, expected.labels, rtol=1e-6, atol=1e-6)
    assert len(result) == len(result.flags) == 7


@pytest.mark.parametrize(("flux", "ivar"), [(0.2, -1.0), (0.2, np.inf), (np.nan, 1e4)])
def test_impossible_pixels_on_another_grid_are_left_out_and_told(flux: float, ivar: float) -> None:
    model = make_universe(n_pixels=2000, seed=8).model
    labels = model.training_labels[:2]
    fluxes, ivars = model.predict(labels), np.full((2, 2000), 1e4)
    fluxes[0, 10::50], ivars[0, 10::50] = flux, ivar
    result = model.infer(fluxes, ivars, wavelength=model.wavelength * 1.00002)
    assert (result.flags & (1 << 19) != 0).tolist() == [True, False]
    assert np.isfinite(result.labels).all()


def test_it_is_told_in_a_line_and_travels_without_its_engines(model: CannonModel) -> None:
    model.infer(np.ones(240), np.ones(240))
    assert repr(model) == "<CannonModel of TEFF, LOGG, FE_H, order 2, 400 stars, 240 pixels>"
    assert not pickle.loads(pickle.dumps(model))._engines
    assert model._engines


def test_spectra_on_another_grid(universe: Universe) -> None:
    model = make_universe(n_pixels=2000, seed=8).model
    labels = universe.labels(np.random.default_rng(10), 5)
    flux = np.repeat(model.predict(labels), 1, axis=0)
    ivar = np.full(flux.shape, 1e4)
    expected = model.infer(flux, ivar)
    np.testing.assert_array_equal(model.infer(flux, ivar, wavelength=model.wavelength).labels, expected.labels)
    part = slice(100, 1900)
    cut = model.infer(flux[:, part], ivar[:, part], wavelength=model.wavelength[part])
    np.testing.assert_allclose(cut.labels, expected.labels, rtol=1e-3, atol=1e-2)
    assert (cut.n_pixels == 1800).all()
