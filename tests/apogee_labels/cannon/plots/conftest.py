"""A model with every feature that its plots show, and results of stars that it was not trained on."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from tests.apogee_labels.cannon.plots.stand_in import HeldOut, with_validation
from tests.apogee_labels.cannon.universe import Universe

N_STARS, N_FREEDOM = 400, 200


@pytest.fixture
def bare(universe: Universe) -> CannonModel:
    """A model without validation: some pixels untrained, one without scatter."""
    true = universe.model
    s2 = true.s2.copy()
    s2[40:50], s2[120] = np.inf, 0.0
    labels = universe.labels(np.random.default_rng(1), N_STARS)
    return CannonModel(true.wavelength, true.vectorizer, true.theta, s2, labels)


@pytest.fixture
def held_out(bare: CannonModel) -> HeldOut:
    """Labels with errors that fall with S/N, the formal ones half of them; chi-square as noise makes it."""
    rng = np.random.default_rng(2)
    snr = 10.0 ** rng.uniform(1.2, 2.4, N_STARS)
    errors = np.array([1500.0, 4.0, 2.0]) / snr[:, None]
    labels = bare.training_labels + errors * rng.normal(size=errors.shape)
    chi_sq = rng.chisquare(N_FREEDOM, N_STARS)
    return HeldOut(labels, errors / 2.0, errors, chi_sq / N_FREEDOM, np.full(N_STARS, N_FREEDOM), snr)


@pytest.fixture
def validated(bare: CannonModel, held_out: HeldOut) -> CannonModel:
    """The model with these results."""
    return with_validation(bare, held_out)
