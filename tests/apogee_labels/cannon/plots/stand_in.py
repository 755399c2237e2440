"""A validation by its fields alone, put into a model: plots are tested without training anything."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from apogee_labels.cannon.model import CannonModel
from apogee_labels.core.arrays import Floats, Integers


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What plots read of a validation (:class:`apogee_labels.cannon.plots.held_out.Validation`)."""

    labels: Floats
    raw_errors: Floats
    errors: Floats
    reduced_chi_sq: Floats
    n_freedom: Integers
    snr: Floats


def with_validation(model: CannonModel, validation: HeldOut) -> CannonModel:
    """Return a copy of the model that holds this validation."""
    result = copy.copy(model)
    object.__setattr__(result, "validation", validation)
    return result
