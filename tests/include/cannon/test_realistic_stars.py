"""Accuracy on spectra that nobody on the project wrote: one realistic training set, stars of another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from include.cannon.inference import Inference
from include.cannon.model import CannonModel
from include.cannon.training_set import TrainingSet

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def make_set(realistic: Path, path: Path, *, stars: int, seed: int) -> TrainingSet:
    """A training set by the realistic input's own script."""
    command = [sys.executable, str(realistic / "make_nights.py"), "training-set", str(path)]
    subprocess.run([*command, "--stars", str(stars), "--seed", str(seed)], check=True, capture_output=True, timeout=300)
    return TrainingSet.read(path)


def rms(result: Inference, stars: TrainingSet, which: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Root mean square of inferred less true labels, shape (L,)."""
    return np.sqrt(((result.labels - stars.labels)[which] ** 2).mean(axis=0))


def test_labels_of_held_out_stars(realistic: Path, tmp_path: Path) -> None:
    model = CannonModel.train(make_set(realistic, tmp_path / "train.pkl", stars=800, seed=1))
    stars = make_set(realistic, tmp_path / "test.pkl", stars=150, seed=2)
    result = model.infer(stars.flux, stars.ivar)
    bright = result.snr > 70
    assert np.count_nonzero(bright) > 100
    assert model.loadings.shape[1] > 0  # [alpha/Fe] varies and is no label
    assert (rms(result, stars, bright) < [10.0, 0.03, 0.01]).all(), rms(result, stars, bright)
    assert result.converged.all()
