"""Training parameters as a DAG's form or a template gives them: text, numbers, lists or objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apogee_airflow.templated import Templated, rendered_names, rendered_value

if TYPE_CHECKING:
    from apogee_labels.pipeline.identities import TrainingParameters

SCATTER_RULES = ("restricted", "likelihood", "median")
"""Values of :class:`apogee_labels.cannon.training.scatter.ScatterRule`, which a DAG file does not import: a test
holds them equal."""


TRAINING_FIELDS = ("label_names", "order", "regularization", "regularization_path", "censors", "scatter_rule")
"""Attributes of the sensor and of the operator that train, in the order in which :func:`training_parameters` takes them."""


def parameters_of(task: Any) -> TrainingParameters:
    """Return the typed training parameters of a sensor or an operator whose fields are rendered.

    Raises
    ------
    ValueError
        As for :func:`training_parameters`.
    """
    return training_parameters(*(getattr(task, name) for name in TRAINING_FIELDS))


def training_parameters(
    label_names: str | Sequence[str],
    order: int | str,
    regularization: float | str,
    regularization_path: Templated = (),
    censors: Templated = None,
    scatter_rule: str | None = SCATTER_RULES[0],
) -> TrainingParameters:
    """Return typed training parameters.

    Raises
    ------
    ValueError
        A number is none, no label is named, or the parameters cannot be trained with
        (:func:`apogee_labels.pipeline.models.hyper_parameters.check_hyper_parameters`).
    """
    from apogee_labels.pipeline.identities import TrainingParameters
    from apogee_labels.pipeline.models.hyper_parameters import check_hyper_parameters

    words = rendered_names(label_names)
    if not words:
        raise ValueError("label_names is empty: name at least one label, e.g. TEFF,LOGG,FE_H.")
    parameters = TrainingParameters(
        label_names=words,
        order=int(order),
        regularization=float(regularization),
        regularization_path=_strengths(regularization_path),
        censors=_ranges(censors),
        scatter_rule=str(scatter_rule or SCATTER_RULES[0]),
    )
    check_hyper_parameters(parameters)
    return parameters


def _strengths(value: Templated) -> tuple[float, ...]:
    """The strengths of a path, from numbers or from one text with commas between them; None is none."""
    if value is None or value == "None":
        return ()
    items = rendered_names(value) if isinstance(value, str) else value
    try:
        return tuple(float(item) for item in items)
    except (TypeError, ValueError):
        raise ValueError(f"regularization_path: expected numbers, such as 10, 100, 1000, got {value!r}.") from None


def _ranges(value: Templated) -> dict[str, tuple[tuple[float, float], ...]]:
    """Censors from an object or from one in JSON; None and empty text are none."""
    expected = 'censors: expected an object such as {"FE_H": [[15200, 15300]]}'
    given = rendered_value(value)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{expected}, got {value!r}.")
    try:
        return {str(label): tuple((float(low), float(high)) for low, high in ranges) for label, ranges in given.items()}
    except (TypeError, ValueError):
        raise ValueError(f"{expected} of ranges [low, high] in Angstrom, got {value!r}.") from None
