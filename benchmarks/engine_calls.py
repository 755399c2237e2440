"""How the benchmarks call the engine: the one place that knows the names of its options."""

from __future__ import annotations

from typing import Any

from apogee_labels.cannon.inference.inference import Inference
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.arrays import Floats


def train(
    training_set: TrainingSet,
    rule: ScatterRule = ScatterRule.RESTRICTED,
    l1: float = 0.0,
    *,
    validate: bool = False,
    noise: bool = True,
) -> CannonModel:
    """Train at order 2, without latent components, and without validation unless it is asked for."""
    options: dict[str, Any] = {
        "order": 2,
        "latent_components": 0,
        "validate": validate,
        "keep_coefficient_noise": noise,
    }
    return CannonModel.train(training_set, regularization=l1, scatter_rule=rule, **options)


def infer(model: CannonModel, flux: Floats, ivar: Floats, *, starts: int = 10, corrected: bool = False) -> Inference:
    """Infer labels from so many starts, with or without the corrections that no other implementation has."""
    return model.infer(flux, ivar, n_initialisations=starts, **_corrections(corrected))


def _corrections(on: bool) -> dict[str, Any]:
    return {"marginalize_continuum": on, "correct_coefficient_noise": on}
