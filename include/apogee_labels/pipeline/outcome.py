"""What became of one file of a batch: the others go on, whatever it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from apogee_labels.catalog import CatalogError

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a step made of one of its inputs, or why it made nothing.

    ``fault`` is a :class:`~apogee_labels.core.errors.BadInputError` for input that was rejected, and anything else
    for trouble that
    may pass.
    """

    subject: str
    value: T | None = None
    fault: Exception | None = None

    def unwrap(self) -> T:
        """Return what was made; raises the fault where nothing was."""
        if self.fault is not None:
            raise self.fault
        return cast("T", self.value)


def attempt(subject: str, step: Callable[[], T]) -> Outcome[T]:
    """Run a step for one input; what it raises is its outcome, save what is meant to stop the process."""
    try:
        return Outcome(subject, step())
    except Exception as fault:  # noqa: BLE001 - whoever gets the outcomes raises it, after the other files
        return Outcome(subject, fault=fault)


def record_together(items: Sequence[T], record: Callable[[Sequence[T]], Any]) -> list[Exception | None]:
    """Record many in one transaction; one that the catalogue refuses does not keep the others out.

    Returns
    -------
    list
        None for each that is on record, and the error for each that is not: when the database does not answer, all.
    """
    try:
        record(items)
    except CatalogError as refusal:
        if len(items) == 1:
            return [refusal]
        return [fault for item in items for fault in record_together([item], record)]
    except Exception as fault:  # noqa: BLE001 - the outcome of each
        return [fault] * len(items)
    return [None] * len(items)
