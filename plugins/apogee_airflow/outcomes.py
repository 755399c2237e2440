"""How the outcomes of the pipeline's steps become states of Airflow's task instances.

Bad input is a result: the instance is skipped, with the reason as its label in the grid and in one log line.  Whatever else
is raised is trouble that may pass, and is retried.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from apogee_airflow.retries import NOT_RETRIED

if TYPE_CHECKING:
    from airflow.sdk import Context

    from apogee_labels.pipeline.outcome import Outcome

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass
class Batch(Generic[T]):
    """What became of the files of one task instance."""

    done: list[T] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)


def set_label(context: Context, label: str) -> None:
    """Name a mapped task instance in the grid: its ``map_index_template`` is ``{{ label }}``."""
    cast("dict[str, Any]", context)["label"] = label


def each_file(paths: Sequence[str], step: Callable[[str], T]) -> Batch[T]:
    """Run a step on every file; one that fails does not keep the others from being done."""
    from apogee_labels.pipeline.outcome import attempt

    return gather(attempt(path, partial(step, path)) for path in paths)


def gather(outcomes: Iterable[Outcome[T]]) -> Batch[T]:
    """Sort what became of the files of an instance.

    An error that may pass is kept for the end: the retry finds the others complete.
    """
    from apogee_labels.core.errors import BadInputError

    batch: Batch[T] = Batch()
    for outcome in outcomes:
        if isinstance(outcome.fault, BadInputError):
            batch.rejected.append(f"{Path(outcome.subject).name}: {outcome.fault.reason}")
        elif outcome.fault is not None:
            outcome.fault.add_note(f"while processing {outcome.subject}")
            batch.errors.append(outcome.fault)
        else:
            batch.done.append(outcome.unwrap())
    return batch


def finish(batch: Batch[T], context: Context, subject: str) -> list[T]:
    """Label the task instance, and end it: what is done, or a skip when all was rejected, or the first error.

    An error is raised while trying again may help, or where nothing is done.  After that the files that are done go on
    without the one that failed: the night's last task finds it in the catalogue as unfinished, and is red.
    """
    n_files = len(batch.done) + len(batch.rejected) + len(batch.errors)
    if batch.rejected:
        reason = batch.rejected[0].partition(": ")[2] if n_files == 1 else f"{len(batch.rejected)} rejected"
        subject = f"{subject}: {reason}"
    set_label(context, subject)
    if batch.errors and (not batch.done or _is_tried_again(batch.errors[0], context)):
        raise batch.errors[0]
    for error in batch.errors:
        log.error("given up: %s: %s %s", type(error).__name__, error, "; ".join(error.__notes__))
    if not batch.done and batch.rejected:
        # Which and why is in the log already, a line a file, from the step that rejected it.
        raise AirflowSkipException(f"all of {n_files} file(s) rejected: nothing is left to hand on")
    return batch.done


def _is_tried_again(error: Exception, context: Context) -> bool:
    instance = context["ti"]
    return instance.try_number <= instance.max_tries and not isinstance(error, NOT_RETRIED)


@contextmanager
def bad_input_fails(context: Context, subject: str) -> Iterator[None]:
    """Turn a model that cannot be used into a failure, once: it is not the star's fault, a person must act."""
    from apogee_labels.core.errors import BadInputError

    try:
        yield
    except BadInputError as fault:
        set_label(context, f"{subject}: {fault.reason}")
        raise AirflowFailException(f"{subject}: {fault.message}") from None


@contextmanager
def bad_input_skips(context: Context, subject: str) -> Iterator[None]:
    """Turn bad input into a skip that is labelled with the subject and the reason."""
    from apogee_labels.core.errors import BadInputError

    set_label(context, subject)
    try:
        yield
    except BadInputError as fault:
        set_label(context, f"{subject}: {fault.reason}")
        raise AirflowSkipException(f"{subject}: {fault.reason}: {fault.message}") from None
