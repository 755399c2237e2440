"""Find out whether the training set's content is one on which there is no verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow.params.forms import TRAINING_FIELDS, take_training_fields, training_parameters
from apogee_airflow.templated import Templated
from apogee_airflow.triggers.files import FilesSettledTrigger, settled_signature, signature

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFERRAL_MARGIN = timedelta(minutes=10)
"""The triggerer's own time limit lies this much after the sensor's deadline, which normally ends the wait."""


class TrainingSetSensor(BaseSensorOperator):
    """Let a run go on when a training set has to be trained on; otherwise the run is skipped, with the reason.

    It has to be: when the catalogue holds no verdict (accepted, refused or broken) on the identity of its content and the
    training parameters.  Touched, renamed, copied back or rewritten with the same bytes, it has not.  Nothing is remembered
    but the verdicts: whatever woke the run, or did not, a look finds what is due.

    Only a file that is being written is waited for, without a worker slot.

    Parameters
    ----------
    training_set_path
        The file (templated).
    label_names
        Labels that the model learns; it and the other training parameters are as :class:`TrainCannonOperator` takes them
        (templated).
    settle_time
        Seconds for which the file must not have changed.
    timeout
        Seconds of writing after which the run ends as skipped.

    Returns
    -------
    str
        Identity of the model that is to be trained.
    """

    template_fields: Sequence[str] = ("training_set_path", *TRAINING_FIELDS)
    ui_color = "#fcf3cf"

    def __init__(
        self,
        *,
        training_set_path: Templated,
        label_names: Templated,
        settle_time: float = 5.0,
        poke_interval: float = 10.0,
        timeout: float = 3600.0,
        **kwargs: Any,
    ) -> None:
        fields = take_training_fields(kwargs) | {"label_names": label_names}
        super().__init__(poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.training_set_path = training_set_path
        for name, value in fields.items():
            setattr(self, name, value)
        self.settle_time = settle_time

    def execute(self, context: Context) -> str:
        """Look; defer only while the file is being written."""
        training_parameters(self)  # what is nonsense fails before anything is waited for
        path = Path(str(self.training_set_path))
        if signature(path) is None:
            raise AirflowSkipException(_missing(path))
        if settled_signature(path, self.settle_time) is None:
            wait = timedelta(seconds=self.timeout)
            deadline = (datetime.now(UTC) + wait).isoformat()
            trigger = FilesSettledTrigger([str(path)], deadline, self.settle_time, self.poke_interval)
            self.defer(trigger=trigger, method_name="file_settled", timeout=wait + DEFERRAL_MARGIN)
        return self._look()

    def file_settled(self, context: Context, event: Mapping[str, Any]) -> str:
        """Look at a file that is quiet now, or give up on it until the next run."""
        if not event["settled"]:
            raise AirflowSkipException(
                f"{self.training_set_path} was still being written after {self.timeout:g} s, or went"
            )
        return self._look()

    def _look(self) -> str:
        """Return the identity of the model that is due; skip with the reason why none is."""
        from apogee_labels.pipeline.models.train import training_due, training_identity
        from apogee_labels.pipeline.workspace import Workspace

        path = str(self.training_set_path)
        try:
            identity = training_identity(path, training_parameters(self))
        except (PermissionError, IsADirectoryError) as fault:
            raise PermissionError(f"{fault}: put a file there that the worker's user may read") from fault
        with Workspace.open() as workspace:
            due, reason = training_due(workspace, identity)
        self.log.info("%s, model %s: %s", path, identity, reason)
        if not due:
            raise AirflowSkipException(f"nothing to train on: {path}: {reason}")
        return identity


def _missing(path: Path) -> str:
    """Why there is no file, and what to do."""
    link = f", a link to {path.readlink()}, which is not there" if path.is_symlink() else ""
    return (
        f"no training set at {path}{link}: put the file there, let the worker's user into its folders, or set "
        "APOGEE_LABELS_TRAINING_SET"
    )
