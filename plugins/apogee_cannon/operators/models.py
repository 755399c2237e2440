"""Which model is in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_cannon.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context


class PinModelOperator(BaseOperator):
    """Return the identity of the model that is in force, for all later tasks of the run; empty when there is none.

    Clearing a mapped instance keeps the pin; clearing the whole run takes the model of that moment.
    """

    ui_color = "#fdebd0"

    def execute(self, context: Context) -> str:
        """Ask the catalogue."""
        from include.identity import short
        from include.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            name = workspace.settings.model_name
            model = workspace.catalog.model_in_force(name)
        if model is None:
            self.log.warning("no model named %s is in force: spectra are normalised, labels come later", name)
            return ""  # and not None, which is no XCom: every task that takes the pin would log an error
        self.log.info("model %s is in force as %s; this run keeps it", short(model.id), name)
        return str(model.id)


class AcceptModelOperator(BaseOperator):
    """Record the verdict on a model and put it in force.

    Parameters
    ----------
    model_id
        Identity of a trained model (templated).
    """

    template_fields: Sequence[str] = ("model_id",)
    ui_color = "#fdebd0"

    def __init__(self, *, model_id: Templated, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id

    def execute(self, context: Context) -> str:
        """Accept the model; running it again changes nothing."""
        from include.pipeline.train import accept_model
        from include.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            accept_model(workspace, self.model_id, f"{context['dag_run'].dag_id} {context['dag_run'].run_id}")
        return str(self.model_id)
