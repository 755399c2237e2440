"""Parts of the forms that several DAGs show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

from apogee_airflow.params.training_parameters import SCATTER_RULES
from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from apogee_labels.core.settings import Settings


def training_form(settings: Settings) -> dict[str, Param]:
    """Return what a model is trained with, by default what the installation is set to."""
    names = list(settings.label_names)
    return {
        "training_set": Param(str(settings.training_set), type="string", title="Training set (.pkl or .npz)"),
        "label_names": Param(names, type="array", items={"type": "string"}, title="Labels, in the order wanted"),
        "order": Param(settings.order, type="integer", minimum=1, maximum=4, title="Order of the polynomial"),
        "regularization": Param(
            settings.regularization, type="number", minimum=0, title="L1 strength Lambda",
            description="Drives small coefficients to 0, the more the larger it is; 0: no penalty",
        ),
        "regularization_path": Param(
            [], type="array", items={"type": "number", "minimum": 0}, title="Or strengths to choose from",
            description="Such as [0, 10, 100, 1000]: stars that the models have not seen choose one; the L1 strength above "
            "has to be 0 then",
        ),
        "censors": Param(
            {}, type="object", title="Where a label may act",
            additionalProperties={
                "type": "array", "minItems": 1,
                "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            },
            description='By label, ranges of vacuum Angstrom, such as {"FE_H": [[15200, 15800], [16000, 16400]]}; a label '
            "that is not named acts everywhere",
        ),
        "scatter_rule": Param(
            SCATTER_RULES[0], type="string", enum=list(SCATTER_RULES), title="Intrinsic scatter",
            description="restricted: unbiased by the number of terms; likelihood: as Ness et al. 2015 write it; median: as "
            "AnniesLasso estimates it",
        ),
    }  # fmt: skip


TRAINING_ARGUMENTS: dict[str, Templated] = {
    "training_set_path": "{{ params.training_set }}",
    "label_names": "{{ params.label_names }}",
    "order": "{{ params.order }}",
    "regularization": "{{ params.regularization }}",
    "regularization_path": "{{ params.regularization_path }}",
    "censors": "{{ params.censors }}",
    "scatter_rule": "{{ params.scatter_rule }}",
}
"""The same as arguments of the sensor and the operator that train, as templates."""
