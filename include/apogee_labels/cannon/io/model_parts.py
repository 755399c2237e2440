"""The parts of a model file, and whether they are those of a model: shapes that agree, values that a model can have."""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np

from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.cannon.validation.validation import Validation
from apogee_labels.core.arrays import Floats

Metadata = dict[str, str | int | float | bool]

HIGHEST_ORDER = 10
_ROUNDING = 1e-8
"""Share of its size by which a matrix may miss being symmetric, or having no negative direction."""


class ModelParts(NamedTuple):
    """What a model file holds."""

    wavelength: Floats
    theta: Floats
    s2: Floats
    training_labels: Floats
    label_names: tuple[str, ...]
    order: int
    offsets: Floats
    scales: Floats
    metadata: Metadata
    loadings: Floats
    noise: CoefficientNoise | None
    validation: Validation | None


def fault_in(parts: ModelParts) -> str | None:
    """Say what of the parts is not a model's; None when all is well."""
    n_labels, order = len(parts.label_names), parts.order
    if not n_labels or not 1 <= order <= HIGHEST_ORDER:
        return f"{n_labels} labels and order {order}"
    expected = (parts.wavelength.size, comb(n_labels + order, order))
    if parts.theta.shape != expected or not _shapes_agree(parts):
        return f"coefficients of shape {parts.theta.shape} where {expected} was expected, or other parts"
    if not _is_noise_of_it(parts):
        return "noise of the coefficients of another shape, not finite or not symmetric"
    if not _is_validation_of_it(parts):
        return "a validation of another shape, or no covariance of errors in it"
    return None if _values_are_possible(parts) else "values that no model has"


def _shapes_agree(parts: ModelParts) -> bool:
    n_labels, n_pixels = len(parts.label_names), parts.wavelength.size
    return (
        parts.wavelength.shape == parts.s2.shape == (n_pixels,)
        and parts.offsets.shape == parts.scales.shape == (n_labels,)
        and parts.training_labels.shape[1:] == (n_labels,)
        and parts.loadings.shape == (n_pixels, parts.metadata.get("latent_components", 0))
    )


def _values_are_possible(parts: ModelParts) -> bool:
    """The scatter is infinite where a pixel was not trained; nothing else is."""
    finite = (parts.theta, parts.loadings, parts.wavelength, parts.training_labels, parts.offsets, parts.scales)
    return (
        all(np.isfinite(values).all() for values in finite)
        and bool((np.diff(parts.wavelength) > 0.0).all())
        and bool((parts.s2 >= 0.0).all() and (parts.scales > 0.0).all())
    )


def _is_noise_of_it(parts: ModelParts) -> bool:
    if parts.noise is None:
        return True
    (n_pixels, n_terms), modes = parts.theta.shape, parts.noise.modes
    n_modes = len(modes)
    if parts.noise.amplitudes.shape != (n_pixels, n_modes) or modes.shape != (n_modes, n_terms, n_terms):
        return False
    finite = bool(np.isfinite(parts.noise.amplitudes).all() and np.isfinite(modes).all())
    return finite and all(_is_symmetric(mode, np.abs(mode).max()) for mode in modes)


def _is_validation_of_it(parts: ModelParts) -> bool:
    validation, n_labels = parts.validation, len(parts.label_names)
    if validation is None:
        return True
    return (
        validation.labels.shape == validation.truth.shape == parts.training_labels.shape
        and validation.n_components == parts.loadings.shape[1]
        and all(len(trial.ratio) == n_labels for trial in validation.trials)
        and validation.beyond.shape == (2, n_labels, n_labels)
        and all(_is_covariance(matrix) for matrix in validation.beyond)
    )


def _is_covariance(matrix: Floats) -> bool:
    """Finite, symmetric and without a negative direction, each label in units of its own error."""
    variance = np.diagonal(matrix)
    if not np.isfinite(matrix).all() or (variance < 0.0).any():
        return False
    width = np.sqrt(np.where(variance > 0.0, variance, 1.0))
    unit = matrix / width[:, None] / width
    return _is_symmetric(unit, 1.0) and bool(np.linalg.eigvalsh(unit)[0] >= -_ROUNDING * len(unit))


def _is_symmetric(matrix: Floats, size: float) -> bool:
    return bool((np.abs(matrix - matrix.T) <= _ROUNDING * size).all())
