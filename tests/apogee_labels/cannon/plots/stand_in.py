"""A validation by its fields alone, put into a model: plots are tested without training anything."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apogee_labels.cannon.model import CannonModel

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What plots read of a validation (:class:`apogee_labels.cannon.plots.held_out.Validation`)."""

    labels: Floats
    raw_errors: Floats
    errors: Floats
    reduced_chi_sq: Floats
    n_freedom: NDArray[np.int64]
    snr: Floats


def with_validation(model: CannonModel, validation: HeldOut) -> CannonModel:
    """Return a copy of the model that holds this validation."""
    result = copy.copy(model)
    object.__setattr__(result, "validation", validation)
    return result
