"""Training parameters as a DAG's form or a template gives them: text, numbers or lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.pipeline.identities import TrainingParameters


def training_parameters(
    label_names: str | Sequence[str], order: int | str, regularization: float | str
) -> TrainingParameters:
    """Return typed training parameters.

    Raises
    ------
    ValueError
        A number is none, or no label is named.
    """
    from include.pipeline.identities import TrainingParameters

    names = label_names.strip("[]").replace("'", "").replace('"', "") if isinstance(label_names, str) else label_names
    words = tuple(names.replace(",", " ").split()) if isinstance(names, str) else tuple(names)
    if not words:
        raise ValueError("label_names is empty: name at least one label, e.g. TEFF,LOGG,FE_H.")
    return TrainingParameters(label_names=words, order=int(order), regularization=float(regularization))
