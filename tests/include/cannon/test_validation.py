"""The number of latent components: none without a reason, as many as help, and never at a label's cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import include.cannon.validation as module
from include.cannon.model import CannonModel
from include.cannon.scatter import ScatterRule
from include.cannon.trainer import Trainer
from include.cannon.training_set import TrainingSet
from include.cannon.validation import candidates
from tests.include.cannon.universe import Universe, Varied

Floats = NDArray[np.float64]


def test_none_where_labels_explain_all(model: CannonModel) -> None:
    assert model.loadings.shape == (240, 0)
    assert model.metadata["latent_components"] == 0
    assert float(model.metadata["validation_4_components"]) > 0.95


def test_some_where_they_do_not(universe: Universe) -> None:
    model = CannonModel.train(Varied(universe).training_set())
    assert model.loadings.shape[1] == model.metadata["latent_components"] == 4
    assert float(model.metadata["validation_4_components"]) < 0.8


def test_noisy_training_labels_do_not_make_the_default_worse(universe: Universe) -> None:
    clean = Varied(universe).training_set()
    noise = np.random.default_rng(51).normal(0.0, [80.0, 0.15, 0.06], clean.labels.shape)
    noisy = replace(clean, labels=clean.labels + noise, digest="")
    new = Varied(universe, n_stars=150, seed=52)
    error = [
        np.abs(CannonModel.train(noisy, latent_components=count).infer(new.flux, new.ivar).labels - new.truth).mean(
            axis=0
        )
        for count in (None, 0)
    ]
    assert (error[0] < 1.05 * error[1]).all()


def test_few_stars_are_not_tried() -> None:
    assert candidates(150, 10) == (0,)
    assert candidates(210, 10) == (0, 4)
    assert candidates(270, 10) == (0, 4, 8)


def test_errors_are_those_of_stars_held_back(universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fold's model against one that was trained on the other stars by hand."""
    stars = universe.training_set(np.random.default_rng(53), 240)
    seen: list[Floats] = []
    errors_of = module._errors
    monkeypatch.setattr(module, "_errors", lambda *args: (seen.append(errors_of(*args)), seen[-1])[1])
    CannonModel.train(stars)
    held = np.arange(240) % module.FOLDS == 1
    left = [array[~held] for array in (stars.flux, stars.ivar, stars.labels)]
    model = CannonModel.train(TrainingSet(stars.wavelength, *left, stars.label_names), latent_components=4)
    expected = model.infer(stars.flux[held], stars.ivar[held]).labels - stars.labels[held]
    np.testing.assert_allclose(seen[3], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("ratios", "chosen"),
    [
        ([[0.9, 0.9], [0.8, 0.9]], 8),
        ([[0.8, 0.8], [0.9, 0.8]], 4),
        ([[0.97, 0.96], [0.98, 0.97]], 0),
        ([[0.5, 1.03], [0.9, 1.01]], 0),
        ([[0.5, 1.03], [0.8, 1.01]], 8),
        ([[1.2, 1.1], [3.0, 1.5]], 0),
    ],
)
def test_a_number_is_taken_for_a_gain_that_costs_no_label(ratios: list[list[float]], chosen: int) -> None:
    assert module._chosen((0, 4, 8), np.array([[1.0, 1.0], *ratios])) == chosen


def test_regularised_models_have_none(universe: Universe) -> None:
    stars = Varied(universe).training_set()
    assert CannonModel.train(stars, regularization=10.0).loadings.shape[1] == 0
    with pytest.raises(ValueError, match="latent_components: expected None or 0 with regularization"):
        CannonModel.train(stars, regularization=10.0, latent_components=2)


@pytest.mark.parametrize("count", [-1, 290, 1000])
def test_numbers_out_of_range(universe: Universe, count: int) -> None:
    with pytest.raises(ValueError, match="latent_components: expected 0 to 289"):
        CannonModel.train(Varied(universe).training_set(), latent_components=count)


def test_stars_that_give_no_labels_leave_it_at_none(universe: Universe) -> None:
    stars = universe.training_set(np.random.default_rng(54), 270)
    model = CannonModel.train(stars, latent_components=0)
    trainer = Trainer(replace(stars, ivar=np.zeros_like(stars.ivar)), model.vectorizer, 0.0, ScatterRule.RESTRICTED)
    assert module.choose_components(trainer, (0, 4)).n_components == 0
