"""Train The Cannon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_airflow.assets import MODEL, describe_event, suppress_events
from apogee_airflow.outcomes import bad_input_skips
from apogee_airflow.params.forms import TRAINING_FIELDS, take_training_fields, training_parameters
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
    kwargs
        The other fields of :class:`apogee_labels.pipeline.parameters.TrainingParameters` (templated), such as ``order``, of
        the polynomial in the labels (2), and ``regularization``, strength of the L1 penalty (0: none); and Airflow's own.

    Returns
    -------
    str
        Identity of the model.  A broken training set gets a verdict in the catalogue, and the task is skipped.
    """

    template_fields: Sequence[str] = ("training_set_path", *TRAINING_FIELDS)
    ui_color = "#fdebd0"

    def __init__(self, *, training_set_path: Templated, label_names: Templated, **kwargs: Any) -> None:
        fields = take_training_fields(kwargs) | {"label_names": label_names}
        super().__init__(**kwargs)
        self.training_set_path = training_set_path
        for name, value in fields.items():
            setattr(self, name, value)
        self._at_work = False

    def execute(self, context: Context) -> str:
        """Train, or find the model trained."""
        from apogee_labels.catalog.records import utc_now
        from apogee_labels.pipeline.models.train import train_model
        from apogee_labels.pipeline.workspace import Workspace

        started = utc_now()
        parameters = training_parameters(self)
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
            suppress_events(self, MODEL)
            return
        about = {"training_set": model.training_set_digest, "stars": model.n_stars, "labels": list(model.label_names)}
        describe_event(self, context, MODEL, model_id=model.id, code_version=model.code_version, **about)
