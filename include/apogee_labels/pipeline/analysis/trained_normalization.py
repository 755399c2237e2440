"""Whether a model was trained on spectra that were normalised as those that it is asked about.

A model learns what the normalisation leaves of lines and continuum; of spectra that were normalised otherwise its labels
would be wrong without any other sign.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import short
from apogee_labels.pipeline.identities import NormalizationParameters

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

Parameters = Mapping[str, object]


class OtherNormalizationError(ValueError):
    """A training set of spectra that were normalised otherwise than this installation's: for a person to mend.

    It says nothing about the set, which may be right for other settings: it is no verdict.
    """


MATTERS = ("regions", "length", "order", "detectors", "ridge", "method")
"""What must agree.  The version of the reader is not among them, nor how rows are stacked."""


def recorded_normalization(provenance: Mapping[str, object]) -> dict[str, object] | None:
    """Return the parameters of the normalisation that a training set's provenance names; None where it names none."""
    text = provenance.get("normalization")
    if not isinstance(text, str):
        return None
    try:
        parameters = json.loads(text)
    except json.JSONDecodeError:
        return None
    return parameters if isinstance(parameters, dict) else None


def is_same(one: Parameters, other: Parameters) -> bool:
    """Whether two normalisations give the same spectrum of the same visits."""
    return all(one.get(name) == other.get(name) for name in MATTERS)


def differences(one: Parameters, other: Parameters) -> str:
    """Name what differs between two normalisations, for people.

    >>> differences({"length": 1400, "order": 3}, {"length": 1400, "order": 2})
    'order 3, not 2'
    """
    names = [name for name in MATTERS if one.get(name) != other.get(name)]
    return ", ".join(f"{name} {_shown(one.get(name))}, not {_shown(other.get(name))}" for name in names)


def _shown(value: object) -> str:
    return short(value) if isinstance(value, str) else str(value)


def check_model(model_id: str, trained: Parameters | None, observed: Parameters) -> None:
    """Refuse a model that was trained with another normalisation than a spectrum has.

    Raises
    ------
    BadInputError
        ``BAD_MODEL``; the message names what differs.
    """
    if trained is not None and not is_same(trained, observed):
        raise BadInputError(
            Reason.BAD_MODEL,
            f"model {short(model_id)} was trained on spectra normalised otherwise than this one: "
            f"{differences(trained, observed)}.  Make a training set with this normalisation (the DAG cannon_training_set) "
            "and train on it, or set APOGEE_LABELS_CONTINUUM_REGIONS to the regions of the model.",
        )


def check_training_set(workspace: Workspace, path: object, trained: Parameters | None) -> None:
    """Refuse a training set that was made with another normalisation than the installation's: nothing could be inferred.

    Raises
    ------
    OtherNormalizationError
        The message names what differs.
    """
    if trained is None:
        return
    observed = NormalizationParameters(regions=workspace.settings.continuum_regions).as_json()
    if not is_same(trained, observed):
        raise OtherNormalizationError(
            f"{path} was made of spectra normalised otherwise than this installation's: {differences(trained, observed)}.  "
            "Make it again with the DAG cannon_training_set, or set APOGEE_LABELS_CONTINUUM_REGIONS to its regions."
        )
