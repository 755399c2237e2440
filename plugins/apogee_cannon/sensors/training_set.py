"""Wait until the training set's content is one on which there is no verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_cannon.templated import Templated
from apogee_cannon.triggers.files import FilesSettledTrigger, signature

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFERRAL_MARGIN = timedelta(minutes=10)


class TrainingSetSensor(BaseSensorOperator):
    """Wait, without a worker slot, for a training set that has to be trained on.

    It is: when the catalogue holds no verdict (accepted, refused or broken) on the identity of its content and the training
    parameters.  Touched, renamed, copied back or rewritten with the same bytes, it is not.  Nothing is remembered between
    two looks but the verdicts, so that a restart, a pause or a change during a training loses nothing.

    Parameters
    ----------
    training_set_path
        The file (templated).
    label_names, order, regularization
        As :class:`TrainCannonOperator` takes them (templated).
    settle_time
        Seconds for which the file must not have changed.
    timeout
        Seconds of quiet after which the run ends as skipped.
    """

    template_fields: Sequence[str] = ("training_set_path", "label_names", "order", "regularization")
    ui_color = "#fcf3cf"

    def __init__(
        self,
        *,
        training_set_path: Templated,
        label_names: Templated,
        order: Templated = 2,
        regularization: Templated = 0,
        settle_time: float = 5.0,
        poke_interval: float = 10.0,
        timeout: float = 86400.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.training_set_path = training_set_path
        self.label_names = label_names
        self.order = order
        self.regularization = regularization
        self.settle_time = settle_time

    def execute(self, context: Context) -> str:
        """Look once; defer only if there is nothing to train."""
        return self._look(self._new_deadline())

    def file_changed(self, context: Context, event: Mapping[str, Any], deadline: str | None = None) -> str:
        """Look again at a file that has changed, or end a quiet day.

        The triggerer hands on the deadline of the first look; ``airflow dags test`` does not, and waits anew.
        """
        if not event["settled"]:
            raise AirflowSkipException(f"{self.training_set_path}: nothing new to train on")
        return self._look(deadline or self._new_deadline())

    def _new_deadline(self) -> str:
        return (datetime.now(UTC) + timedelta(seconds=self.timeout)).isoformat()

    def _look(self, deadline: str) -> str:
        """Return the identity of the model that is due, or defer until the file changes."""
        seen = signature(self.training_set_path)
        trigger = FilesSettledTrigger([self.training_set_path], deadline, self.settle_time, self.poke_interval)
        if seen is not None and trigger.settled():
            identity = self._due()
            if identity is not None:
                return identity
            trigger.known = {self.training_set_path: seen}
        remaining = datetime.fromisoformat(deadline) - datetime.now(UTC)
        return self.defer(
            trigger=trigger,
            method_name="file_changed",
            kwargs={"deadline": deadline},
            timeout=remaining + DEFERRAL_MARGIN,
        )

    def _due(self) -> str | None:
        """Return the identity of the model that is to be trained, or None."""
        from apogee_cannon.training_parameters import training_parameters
        from include.pipeline.train import training_due, training_identity
        from include.pipeline.workspace import Workspace

        parameters = training_parameters(self.label_names, self.order, self.regularization)
        try:
            identity = training_identity(self.training_set_path, parameters)
        except OSError as fault:
            # Failing would start the next run at once, and so for ever.
            self.log.error("%s cannot be read: %s; let the worker's user read it", self.training_set_path, fault)
            return None
        with Workspace.open() as workspace:
            due, reason = training_due(workspace, identity)
        self.log.info("%s, model %s: %s", self.training_set_path, identity, reason)
        return identity if due else None
