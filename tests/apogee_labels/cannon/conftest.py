"""A small synthetic universe for the engine, and what training learns from it."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from tests.apogee_labels.cannon.universe import Universe, make_universe


@pytest.fixture(scope="session")
def universe() -> Universe:
    """Lines over three detectors, a scatter of one per cent."""
    return make_universe()


@pytest.fixture(scope="session")
def training_set(universe: Universe) -> TrainingSet:
    """400 stars of that universe."""
    return universe.training_set(np.random.default_rng(17), 400)


@pytest.fixture(scope="session")
def model(training_set: TrainingSet) -> CannonModel:
    """What training learns from those stars."""
    return CannonModel.train(training_set)
