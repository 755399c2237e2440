"""Wait until the training set's content is one on which there is no verdict."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow.params.forms import TRAINING_FIELDS, take_training_fields, training_parameters
from apogee_airflow.templated import Templated
from apogee_airflow.triggers.files import signature
from apogee_airflow.triggers.training_set import TrainingSetTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from apogee_labels.pipeline.identities import TrainingParameters

log = logging.getLogger(__name__)
DEFERRAL_MARGIN = timedelta(minutes=10)
UNREADABLE_WAIT = timedelta(minutes=30)
"""After which a file that could not be read is looked at again, though nothing about it changed."""
FAULT_WAIT = timedelta(minutes=1)
MOST_FAULTS = 6
"""A look that fails is repeated after 1, 2, 4 ... minutes; after an hour of that its error fails the task."""


BY_HAND = ("manual", "operator_triggered")
"""Types of runs that somebody started, now and with parameters of their own."""


class Look(NamedTuple):
    """What a look at the training set found."""

    identity: str | None = None
    """Of the model that is to be trained now."""
    again: datetime | None = None
    """When to look again though the file does not change."""
    reason: str = ""
    """Why nothing is to be trained."""


class TrainingSetSensor(BaseSensorOperator):
    """Wait, without a worker slot, for a training set that has to be trained on.

    It is: when the catalogue holds no verdict (accepted, refused or broken) on the identity of its content and the training
    parameters.  Touched, renamed, copied back or rewritten with the same bytes, it is not.  Nothing is remembered between
    two looks but the verdicts, so that a restart, a pause or a change during a training loses nothing.

    A training that failed for another reason than a broken training set is waited with, longer each time it fails
    (:mod:`apogee_labels.pipeline.models.training_attempts`); another content or other parameters are not.

    A run that was started by hand does not wait, but for a file that is being written: its training begins at once, or it is
    skipped with the reason.  While it is queued, the run that waits makes room for it.

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
        Seconds of quiet after which the run ends as skipped.
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
        timeout: float = 86400.0,
        **kwargs: Any,
    ) -> None:
        fields = take_training_fields(kwargs) | {"label_names": label_names}
        super().__init__(poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.training_set_path = training_set_path
        for name, value in fields.items():
            setattr(self, name, value)
        self.settle_time = settle_time

    def execute(self, context: Context) -> str:
        """Look once; defer only if there is nothing to train."""
        return self._look(context, self._new_deadline())

    def file_changed(
        self, context: Context, event: Mapping[str, Any], deadline: str | None = None, faults: int = 0
    ) -> str:
        """Look again at a file that has changed, or when that was to be, or end a quiet day.

        The triggerer hands on the deadline of the first look; ``airflow dags test`` does not, and waits anew.
        """
        if event.get("queued"):
            raise AirflowSkipException("another run of this DAG is queued, and goes first; the next one waits again")
        if not event["settled"] and (deadline is None or datetime.now(UTC) >= datetime.fromisoformat(deadline)):
            raise AirflowSkipException(f"{self.training_set_path}: nothing new to train on")
        return self._look(context, deadline or self._new_deadline(), faults)

    def _new_deadline(self) -> str:
        return (datetime.now(UTC) + timedelta(seconds=self.timeout)).isoformat()

    def _look(self, context: Context, deadline: str, faults: int = 0) -> str:
        """Return the identity of the model that is due, or defer until the file changes or a moment comes."""
        by_hand = _is_by_hand(context)
        parameters = training_parameters(self)
        path, end = str(self.training_set_path), datetime.fromisoformat(deadline)
        trigger = TrainingSetTrigger(
            [path], deadline, self.settle_time, self.poke_interval, dag_id=None if by_hand else _dag_id(context)
        )
        seen = signature(path)
        if seen is None:
            self._say_missing(path, by_hand=by_hand)
        elif trigger.settled():
            look, faults = self._carefully(parameters, faults, by_hand=by_hand)
            if look.identity is not None:
                return look.identity
            if by_hand and look.again is None:
                raise AirflowSkipException(f"{path}: {look.reason}")
            if signature(path) == seen:  # otherwise something else was looked at
                trigger.known = {path: seen}
            if look.again is not None:
                trigger.deadline = min(look.again, end).isoformat()
        return self.defer(
            trigger=trigger,
            method_name="file_changed",
            kwargs={"deadline": deadline, "faults": faults},
            timeout=end - datetime.now(UTC) + DEFERRAL_MARGIN,
        )

    def _carefully(self, parameters: TrainingParameters, faults: int, *, by_hand: bool) -> tuple[Look, int]:
        """Look; a fault, of the database or of the code, is given an hour.

        Failing at once would start the next run at once, and so for ever: this DAG always has a run.
        """
        try:
            return self._due(parameters, by_hand=by_hand), 0
        except Exception as fault:
            if by_hand or faults >= MOST_FAULTS:
                raise
            again = datetime.now(UTC) + FAULT_WAIT * 2**faults
            log.warning(
                "%s could not be looked at, %s: %s; again at %s", self.training_set_path, type(fault).__name__, fault,
                _moment(again),
            )  # fmt: skip
            return Look(again=again), faults + 1

    def _due(self, parameters: TrainingParameters, *, by_hand: bool) -> Look:
        """Find out whether a model is to be trained, and when."""
        from apogee_labels.pipeline.models.train import training_due, training_identity
        from apogee_labels.pipeline.models.training_attempts import begin_run, find_attempt, find_run
        from apogee_labels.pipeline.workspace import Workspace

        path = self.training_set_path
        try:
            identity = training_identity(path, parameters)
        except OSError as fault:
            if by_hand:
                raise
            again = datetime.now(UTC) + UNREADABLE_WAIT
            log.error(
                "%s cannot be read: %s; put a file there that the worker's user may read (it is looked at again when it "
                "changes, or at %s)", path, fault, _moment(again),
            )  # fmt: skip
            return Look(again=again)
        with Workspace.open() as workspace:
            due, reason = training_due(workspace, identity)
            tried = [each(workspace, identity) for each in (find_attempt, find_run)] if due else []
            attempt = max((each for each in tried if each), key=lambda each: each.next_try, default=None)
            waits = attempt is not None and not by_hand and attempt.next_try > datetime.now(UTC)
            if due and not waits:
                begin_run(workspace, identity)  # what cannot be noted would begin again and again
        log.info("%s, model %s: %s", path, identity, reason)
        if attempt is not None and waits:
            log.warning(
                "the training was %s: next try at %s; mend the cause, and start a run by hand to have it at once",
                attempt.sentence, _moment(attempt.next_try),
            )  # fmt: skip
            return Look(again=attempt.next_try)
        return Look(identity if due else None, reason=reason)

    def _say_missing(self, path: str, *, by_hand: bool) -> None:
        """Say why there is no file, and what to do."""
        from pathlib import Path

        link = f", a link to {Path(path).readlink()}, which is not there" if Path(path).is_symlink() else ""
        message = (
            f"no training set at {path}{link}: put the file there, let the worker's user into its folders, or set "
            "APOGEE_LABELS_TRAINING_SET"
        )
        if by_hand:
            raise AirflowSkipException(message)
        log.warning("%s; it is waited for", message)


def _is_by_hand(context: Context) -> bool:
    run: Any = context.get("dag_run")
    return run is not None and str(getattr(run.run_type, "value", run.run_type)) in BY_HAND


def _dag_id(context: Context) -> str | None:
    run: Any = context.get("dag_run")
    return None if run is None else str(run.dag_id)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
