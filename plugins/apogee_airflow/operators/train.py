"""Train The Cannon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_airflow.assets import MODEL
from apogee_airflow.events import tell, tell_nothing
from apogee_airflow.outcomes import bad_input_skips
from apogee_airflow.params.training_parameters import TRAINING_FIELDS, parameters_of
from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from apogee_labels.catalog.records import ModelRecord


class TrainCannonOperator(BaseOperator):
    """Train a model on a training set file, unless the model of that content and these parameters exists.

    Parameters
    ----------
    training_set_path
        The tutorial's pickle (read without running code from it) or .npz (templated).
    label_names
        Labels that the model learns, in this order; names, or one text with commas between them (templated).
    order
        Order of the polynomial in the labels (templated).
    regularization
        Strength of the L1 penalty, 0 for none (templated).
    regularization_path
        Strengths from which validation chooses one; `regularization` is 0 then (templated).
    censors
        For a label, the wavelength ranges on which it may act, vacuum Angstrom: ``{"FE_H": [[15200, 15800]]}``, as an object
        or as JSON (templated).
    scatter_rule
        How the intrinsic scatter is estimated: ``restricted``, ``likelihood`` or ``median`` (templated).

    Returns
    -------
    str
        Identity of the model.  A broken training set gets a verdict in the catalogue, and the task is skipped.
    """

    template_fields: Sequence[str] = ("training_set_path", *TRAINING_FIELDS)
    ui_color = "#fdebd0"

    def __init__(
        self,
        *,
        training_set_path: Templated,
        label_names: Templated,
        order: Templated = 2,
        regularization: Templated = 0,
        regularization_path: Templated = (),
        censors: Templated = None,
        scatter_rule: Templated = "restricted",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training_set_path = training_set_path
        self.label_names = label_names
        self.order = order
        self.regularization = regularization
        self.regularization_path = regularization_path
        self.censors = censors
        self.scatter_rule = scatter_rule
        self._at_work = False

    def execute(self, context: Context) -> str:
        """Train, or find the model trained."""
        from apogee_labels.catalog.records import utc_now
        from apogee_labels.pipeline.models.train import train_model
        from apogee_labels.pipeline.workspace import Workspace

        started = utc_now()
        parameters = parameters_of(self)
        with Workspace.open() as workspace, bad_input_skips(context, f"training set {self.training_set_path}"):
            self._at_work = True
            try:
                identity = train_model(workspace, self.training_set_path, parameters)
            finally:
                self._at_work = False
            self._tell(context, workspace.catalog.models.get(identity), since=started)
        return identity

    def on_kill(self) -> None:
        """End the training when the task is cleared, or its worker stops: what is half written goes.

        Airflow calls this where the signal comes in, and would let the training go on until it is killed for good.
        """
        if self._at_work:
            self._at_work = False
            raise SystemExit("the training was ended from outside: the task was cleared or set, or its worker stops")

    def _tell(self, context: Context, model: ModelRecord | None, since: datetime) -> None:
        """Say beside the event of the asset which model was trained, and of what; one that was there has no event."""
        if model is None or model.created < since:
            tell_nothing(self, MODEL)
            return
        about = {"training_set": model.training_set_digest, "stars": model.n_stars, "labels": list(model.label_names)}
        tell(self, context, MODEL, model_id=model.id, code_version=model.code_version, **about)
