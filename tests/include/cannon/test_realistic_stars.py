"""Accuracy on spectra that nobody on the project wrote: one realistic training set, stars of another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from include.cannon.model import CannonModel
from include.cannon.training_set import TrainingSet

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def make_set(realistic: Path, path: Path, *, stars: int, seed: int) -> TrainingSet:
    """A training set by the realistic input's own script."""
    command = [sys.executable, str(realistic / "make_nights.py"), "training-set", str(path)]
    subprocess.run([*command, "--stars", str(stars), "--seed", str(seed)], check=True, capture_output=True, timeout=300)
    return TrainingSet.read(path)


def test_labels_of_held_out_stars(realistic: Path, tmp_path: Path) -> None:
    model = CannonModel.train(make_set(realistic, tmp_path / "train.pkl", stars=800, seed=1))
    stars = make_set(realistic, tmp_path / "test.pkl", stars=150, seed=2)
    result = model.infer(stars.flux, stars.ivar)
    bright = result.snr > 70
    assert np.count_nonzero(bright) > 100
    rms = np.sqrt(((result.labels - stars.labels)[bright] ** 2).mean(axis=0))
    assert (rms < [25.0, 0.05, 0.02]).all(), rms
    assert result.converged.all()
