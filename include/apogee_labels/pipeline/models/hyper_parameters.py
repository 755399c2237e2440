"""Whether training parameters can be trained with: said before anything starts, and in the words of the form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apogee_labels.core.errors import BadInputError, Reason

if TYPE_CHECKING:
    from apogee_labels.core.arrays import Floats
    from apogee_labels.pipeline.identities import TrainingParameters

HIGHEST_ORDER = 4
MOST_STRENGTHS = 50
"""Strengths of a path: each is one more training of every pixel, fold by fold."""


def check_hyper_parameters(parameters: TrainingParameters) -> None:
    """Refuse training parameters that no training set could be trained with.

    Raises
    ------
    ValueError
        A label is named twice or not at all, a number is out of its range, two parameters contradict each other, a censor
        names a label that is not learnt or a range outside of the apStar grid, or the scatter rule is unknown.
    """
    from apogee_labels.cannon.training.scatter import ScatterRule

    names = parameters.label_names
    if not names or len(set(names)) != len(names):
        raise ValueError(f"label_names: expected one or more labels, all different, got {', '.join(names) or 'none'}.")
    if not 1 <= parameters.order <= HIGHEST_ORDER:
        raise ValueError(f"order: expected 1 to {HIGHEST_ORDER}, got {parameters.order}.")
    if not _is_strength(parameters.regularization):
        raise ValueError(f"regularization: expected a finite number, 0 or more, got {parameters.regularization}.")
    _check_path(parameters)
    for label in parameters.censors:
        _check_ranges(label, parameters)
    rules = [str(rule) for rule in ScatterRule]
    if parameters.scatter_rule not in rules:
        raise ValueError(f"scatter_rule: expected one of {', '.join(rules)}, got {parameters.scatter_rule!r}.")


def check_censored_pixels(parameters: TrainingParameters, wavelength: Floats) -> None:
    """Refuse censors that leave a label without a pixel of the training set, whose grid is `wavelength`, (P,) Angstrom.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: a range holds none of its pixels.
    """
    for label, ranges in parameters.censors.items():
        for low, high in ranges:
            if not ((wavelength >= low) & (wavelength < high)).any():
                raise BadInputError(
                    Reason.BAD_TRAINING_SET,
                    f"censors: expected ranges of {label} with pixels of the training set, which has {wavelength[0]:.1f} to "
                    f"{wavelength[-1]:.1f} Angstrom, got {low:g} to {high:g}.",
                )


def _check_path(parameters: TrainingParameters) -> None:
    path = parameters.regularization_path
    if not path:
        return
    if parameters.regularization:
        raise ValueError(
            f"regularization_path: expected regularization 0 beside it, got {parameters.regularization:g}: give one "
            "strength, or a path from which one is chosen."
        )
    if not 2 <= len(set(path)) <= MOST_STRENGTHS or not all(_is_strength(strength) for strength in path):
        raise ValueError(
            f"regularization_path: expected 2 to {MOST_STRENGTHS} different finite numbers, 0 or more, got {list(path)}."
        )


def _check_ranges(label: str, parameters: TrainingParameters) -> None:
    from apogee_labels.apogee.spectra.grid import WAVELENGTH

    first, last = float(WAVELENGTH[0]), float(WAVELENGTH[-1])
    if label not in parameters.label_names:
        raise ValueError(f"censors: expected labels of {', '.join(parameters.label_names)}, got {label}.")
    ranges = parameters.censors[label]
    if not ranges:
        raise ValueError(f"censors: expected one or more ranges for {label}, got none: it would act nowhere.")
    for low, high in ranges:
        # A NaN is neither side of anything.
        if not (low < high and low <= last and high > first):
            raise ValueError(
                f"censors: expected ranges [low, high] for {label} that reach into {first:.0f} to {last:.0f} Angstrom, "
                f"got [{low:g}, {high:g}]."
            )


def _is_strength(value: float) -> bool:
    return math.isfinite(value) and value >= 0.0
