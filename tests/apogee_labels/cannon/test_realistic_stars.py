"""Accuracy on spectra that nobody on the project wrote: one realistic training set, stars of another."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.cannon.flags import ResultFlag
from apogee_labels.cannon.inference.inference import Inference
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.arrays import Floats

pytestmark = [pytest.mark.shared, pytest.mark.slow]

THREE = ["TEFF", "LOGG", "FE_H"]
BRIGHT = 70.0


def make_set(realistic: Path, path: Path, *, stars: int, seed: int) -> TrainingSet:
    """A training set of four labels by the realistic input's own script."""
    command = [sys.executable, str(realistic / "make_nights.py"), "training-set", str(path), "--stars", str(stars)]
    command += ["--seed", str(seed), "--labels", *THREE, "ALPHA_FE"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return TrainingSet.read(path)


@pytest.fixture(scope="module")
def known(realistic: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    """800 stars to train on."""
    return make_set(realistic, tmp_path_factory.mktemp("realistic") / "known.pkl", stars=800, seed=1)


@pytest.fixture(scope="module")
def new(realistic: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    """900 stars that no model has seen: an rms has a standard error of 3 %."""
    return make_set(realistic, tmp_path_factory.mktemp("realistic") / "new.pkl", stars=900, seed=2)


@pytest.fixture(scope="module")
def validated(known: TrainingSet) -> CannonModel:
    """Three labels, where [alpha/Fe] varies too, and what validation makes of that."""
    return CannonModel.train(known, THREE)


def residuals(result: Inference, stars: TrainingSet) -> Floats:
    """Inferred less true labels of the bright stars, shape (n, L)."""
    bright = result.snr > BRIGHT
    assert np.count_nonzero(bright) > 200
    return (result.labels - stars.select(list(result.label_names)).labels)[bright]


def rms(values: Floats) -> Floats:
    return np.sqrt((values**2).mean(axis=0))


def test_four_labels_with_both_corrections(known: TrainingSet, new: TrainingSet) -> None:
    result = CannonModel.train(known, validate=False).infer(new.flux, new.ivar, correct_coefficient_noise=True)
    wrong, bright = residuals(result, new), result.snr > BRIGHT
    assert (rms(wrong) <= [4.0, 0.009, 0.0035, 0.002]).all(), rms(wrong)
    pulls = rms(wrong / result.raw_errors[bright])
    assert ((pulls >= 0.8) & (pulls <= 1.2)).all(), pulls


def test_three_labels_with_validated_components(validated: CannonModel, new: TrainingSet) -> None:
    result = validated.infer(new.flux, new.ivar)
    assert validated.loadings.shape[1] > 0
    assert (rms(residuals(result, new)) <= [6.0, 0.014, 0.005]).all(), rms(residuals(result, new))
    assert result.converged.all()


def test_three_labels_without_components_have_honest_errors(known: TrainingSet, new: TrainingSet) -> None:
    result = CannonModel.train(known, THREE, latent_components=0).infer(new.flux, new.ivar)
    wrong, bright = residuals(result, new), result.snr > BRIGHT
    assert (rms(wrong / result.raw_errors[bright]) > 4.0).all()
    pulls = rms(wrong / result.errors[bright])
    assert ((pulls >= 0.8) & (pulls <= 1.3)).all(), pulls


def test_giants_are_like_giants(validated: CannonModel, new: TrainingSet) -> None:
    result = validated.infer(new.flux, new.ivar)
    unlike = (result.flags & int(ResultFlag.UNLIKE_TRAINING_SET | ResultFlag.NO_LINES)) != 0
    assert not unlike.any()
    assert result.unexplained.max() < 0.13


@pytest.mark.parametrize("factor", [2.0, 5.0, 10.0])
def test_errors_are_honest_and_giants_like_giants_at_any_signal(
    validated: CannonModel, new: TrainingSet, factor: float
) -> None:
    """The same stars with more noise: S/N 115, 46 and 23 in the median."""
    sigma = np.divide(1.0, np.sqrt(new.ivar), out=np.zeros_like(new.ivar), where=new.ivar > 0.0)
    noise = np.random.default_rng(3).normal(size=sigma.shape) * sigma * np.sqrt(factor**2 - 1.0)
    result = validated.infer(new.flux + noise, new.ivar / factor**2)
    pulls = rms((result.labels - new.select(THREE).labels) / result.errors)
    assert ((pulls >= 0.8) & (pulls <= 1.3)).all(), pulls
    assert not (result.flags & int(ResultFlag.UNLIKE_TRAINING_SET)).any()


def test_noisy_training_labels_switch_the_correction_off(known: TrainingSet, new: TrainingSet) -> None:
    """50 K, 0.1 and 0.03 dex: what is an improvement with true labels makes these worse."""
    noise = np.random.default_rng(1).normal(0.0, [50.0, 0.1, 0.03, 0.02], known.labels.shape)
    model = CannonModel.train(replace(known, labels=known.labels + noise, digest=""), THREE, latent_components=0)
    assert model.validation is not None
    assert not model.validation.corrected
    default, forced = (model.infer(new.flux, new.ivar, correct_coefficient_noise=way) for way in (None, True))
    assert (rms(residuals(default, new))[:2] < rms(residuals(forced, new))[:2]).all()
