"""From bad input to a clear error, and from a training to what its file says made it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from apogee_labels.cannon.flags import ResultFlag
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training.fitting import check_regularization, check_scatter
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.arrays import Floats
from apogee_labels.core.errors import BadInputError, Reason
from tests.apogee_labels.cannon.universe import NAMES, Universe, Varied


def changed(stars: TrainingSet, **changes: Callable[[Floats], Any]) -> TrainingSet:
    """Stars of which copies of some arrays were changed in place."""
    arrays = {name: getattr(stars, name).copy() for name in changes}
    for name, change in changes.items():
        change(arrays[name])
    return replace(stars, **arrays, digest="")


def put(value: float, *where: int | slice) -> Callable[[Floats], None]:
    def change(array: Floats) -> None:
        array[where] = value

    return change


def collinear(labels: Floats) -> None:
    labels[:, 1] = 2.0 + 1e-3 * labels[:, 0] - labels[:, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": put(2.5, slice(None), 1)}, "label LOGG is 2.5 for nearly all stars: leave it out"),
        ({"labels": collinear}, "labels TEFF, LOGG, FE_H are collinear over the 400 stars"),
        ({"labels": put(np.nan, 7, 0)}, "labels: TEFF of row 7 is nan"),
        ({"ivar": put(-1.0, 3, 50)}, "ivar: expected 0 or more and at most 1e\\+16, row 3 has -1.0 at pixel 50"),
        ({"ivar": put(np.inf, 399, 0)}, "row 399 has inf at pixel 0"),
        ({"ivar": put(np.nan, 0, 239)}, "row 0 has nan at pixel 239"),
        ({"flux": put(np.nan, 5, 6), "ivar": put(1.0, 5, 6)}, "flux: row 5 is nan at pixel 6, where ivar is not 0"),
        ({"flux": put(1e12, 5, 6), "ivar": put(1.0, 5, 6)}, "flux: row 5 is 1000000000000.0 at pixel 6"),
        ({"ivar": put(0.0, slice(9, None))}, "more stars with a spectrum than the 10 terms .* got 9 of 400"),
        ({"ivar": put(0.0, slice(None))}, "got 0 of 400"),
    ],
)
def test_a_training_set_that_is_no_good(training_set: TrainingSet, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        CannonModel.train(changed(training_set, **changes))
    assert caught.value.reason is Reason.BAD_TRAINING_SET
    assert "\n" not in caught.value.message


def test_a_pixel_seen_by_three_stars_is_not_trained(training_set: TrainingSet, universe: Universe) -> None:
    model = CannonModel.train(changed(training_set, ivar=put(0.0, slice(3, None), 77)), validate=False)
    assert np.flatnonzero(~model.informative).tolist() == [77]
    assert model.theta[77].tolist() == [1.0] + [0.0] * 9
    assert model.noise is not None
    assert not model.noise.amplitudes[77].any()
    rng = np.random.default_rng(1)
    flux, ivar = universe.spectra(rng, universe.labels(rng, 5))
    expected = model.infer(flux, ivar).labels
    flux[:, 77] = 100.0
    np.testing.assert_array_equal(model.infer(flux, ivar).labels, expected)


@pytest.mark.parametrize("value", [-1.0, np.inf, np.nan])
def test_impossible_variances_in_inference_are_left_out_and_flagged(
    model: CannonModel, universe: Universe, value: float
) -> None:
    rng = np.random.default_rng(2)
    flux, ivar = universe.spectra(rng, universe.labels(rng, 3))
    bad, masked = ivar.copy(), ivar.copy()
    bad[1, 30:33], masked[1, 30:33] = value, 0.0
    result = model.infer(flux, bad)
    assert ((result.flags & int(ResultFlag.INVALID_PIXELS)) != 0).tolist() == [False, True, False]
    np.testing.assert_allclose(result.labels, model.infer(flux, masked).labels, rtol=1e-7)


def test_few_stars_for_the_terms_are_flagged(universe: Universe) -> None:
    rng = np.random.default_rng(3)
    flux, ivar = universe.spectra(rng, universe.labels(rng, 3))
    for count, few in ((198, True), (212, False)):  # 2 % of the pixels are bad
        model = CannonModel.train(universe.training_set(np.random.default_rng(4), count), validate=False)
        flagged = (model.infer(flux, ivar).flags & int(ResultFlag.FEW_TRAINING_STARS)) != 0
        assert flagged.tolist() == [few] * 3


def test_stars_without_a_spectrum_are_no_training_stars(universe: Universe) -> None:
    stars = universe.training_set(np.random.default_rng(5), 250)
    ivar = stars.ivar.copy()
    ivar[::5] = 0.0
    seen = np.arange(250) % 5 != 0
    holed = CannonModel.train(replace(stars, ivar=ivar, digest=""), validate=False)
    alone = TrainingSet(stars.wavelength, stars.flux[seen], stars.ivar[seen], stars.labels[seen], NAMES)
    expected = CannonModel.train(alone, validate=False)
    np.testing.assert_array_equal(holed.training_labels, alone.labels)
    np.testing.assert_allclose(holed.theta, expected.theta, rtol=1e-9, atol=1e-12)
    flux, ivar = universe.spectra(np.random.default_rng(6), alone.labels[:5])
    assert (holed.infer(flux, ivar).flags & int(ResultFlag.FEW_TRAINING_STARS)).all()


def test_components_count_among_the_terms(universe: Universe) -> None:
    stars = Varied(universe, n_stars=230)
    model = CannonModel.train(stars.training_set(), latent_components=3, validate=False)
    assert (model.infer(stars.flux[:3], stars.ivar[:3]).flags & int(ResultFlag.FEW_TRAINING_STARS)).all()


def test_a_validation_that_says_nothing_is_none(universe: Universe) -> None:
    stars = universe.training_set(np.random.default_rng(7), 60)
    two = replace(stars, labels=np.where(stars.labels[:, :1] > 4500.0, 1.0, 0.0), label_names=("GIANT",), digest="")
    model = CannonModel.train(two, order=1)
    assert model.validation is None or np.isfinite(model.validation.rms).all()


@pytest.mark.parametrize("count", [-1, 66, 1000])
@pytest.mark.parametrize("validate", [True, False])
def test_numbers_of_components_out_of_range(universe: Universe, count: int, validate: bool) -> None:
    with pytest.raises(ValueError, match="latent_components: expected 0 to 65 with 300 stars"):
        CannonModel.train(Varied(universe).training_set(), latent_components=count, validate=validate)


@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("validate", [True, False])
def test_the_number_of_components_that_was_asked_for(universe: Universe, count: int, validate: bool) -> None:
    model = CannonModel.train(Varied(universe).training_set(), latent_components=count, validate=validate)
    assert model.loadings.shape == (240, count)
    assert model.metadata["latent_components"] == count
    if model.validation is not None:
        assert model.validation.n_components == count
        assert {trial.n_components for trial in model.validation.trials} == {count}


def test_what_made_a_model(training_set: TrainingSet) -> None:
    model = CannonModel.train(training_set, ["FE_H", "TEFF"], 1, validate=False)
    expected = {
        "label_names": "FE_H,TEFF",
        "order": 1,
        "regularization": 0.0,
        "scatter_rule": "restricted",
        "censors": "{}",
        "bounds": "{}",
        "latent_components": 0,
        "n_stars": 400,
        "n_pixels": 240,
        "n_trained_pixels": 240,
    }
    assert expected.items() <= dict(model.metadata).items()
    assert {"numpy", "scipy", "python", "method_version", "training_set"} <= set(model.metadata)
    assert "scatter" not in model.metadata
    json.dumps(dict(model.metadata))


def test_strengths_of_the_penalty() -> None:
    assert check_regularization(3, 5) == 3.0
    assert isinstance(check_regularization(np.float32(2.0), 5), float)
    np.testing.assert_array_equal(check_regularization([0, 1, 2, 3, 4], 5), np.arange(5.0))


def test_scatter_becomes_a_variance() -> None:
    assert check_scatter(None, 3) is None
    np.testing.assert_array_equal(check_scatter([0.0, 0.5, np.inf], 3), [0.0, 0.25, np.inf])
