"""Judge a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_airflow.links import ModelReportLink
from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context


class ValidateModelOperator(BaseOperator):
    """Hold a model against the one in force, by stars held back and by reference stars, and keep the report beside it.

    Parameters
    ----------
    model_id
        Identity of a trained model (templated).
    tolerances
        How much worse it may be, by name: fields of :class:`apogee_labels.pipeline.models.judgement.Tolerances`
        (templated); what is not named has its default.

    Returns
    -------
    str
        Identity of the model.  What the report says is read from there by the tasks that follow.
    """

    template_fields: Sequence[str] = ("model_id", "tolerances")
    operator_extra_links = (ModelReportLink(),)
    ui_color = "#d5f5e3"

    def __init__(self, *, model_id: Templated, tolerances: Templated = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.tolerances = tolerances

    def execute(self, context: Context) -> str:
        """Make the report, unless it was made of the same."""
        from apogee_airflow.outcomes import bad_input_fails
        from apogee_labels.pipeline.models.judgement import Tolerances
        from apogee_labels.pipeline.models.model_report import validate_model
        from apogee_labels.pipeline.workspace import Workspace

        tolerances = Tolerances(**self.tolerances or {})
        with Workspace.open() as workspace, bad_input_fails(context, f"model {self.model_id}"):
            validate_model(workspace, self.model_id, tolerances)
        return str(self.model_id)
