"""Parts of the forms that several DAGs show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

from apogee_cannon.templated import Templated

if TYPE_CHECKING:
    from include.settings import Settings


def training_form(settings: Settings) -> dict[str, Param]:
    """Return what a model is trained with, by default what the installation is set to."""
    names = list(settings.label_names)
    return {
        "training_set": Param(str(settings.training_set), type="string", title="Training set (.pkl or .npz)"),
        "label_names": Param(names, type="array", items={"type": "string"}, title="Labels, in the order wanted"),
        "order": Param(settings.order, type="integer", minimum=1, maximum=4, title="Order of the polynomial"),
        "regularization": Param(settings.regularization, type="number", minimum=0, title="L1 strength"),
    }


TRAINING_ARGUMENTS: dict[str, Templated] = {
    "training_set_path": "{{ params.training_set }}",
    "label_names": "{{ params.label_names }}",
    "order": "{{ params.order }}",
    "regularization": "{{ params.regularization }}",
}
"""The same as arguments of the sensor and the operator that train, as templates."""
