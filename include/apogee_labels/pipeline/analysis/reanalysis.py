"""A model that came into force, and the stars that have no result by it.

Takes a model; a star is done already when the stored normalisation of its present content has a result by the model; makes
results, batch by batch, from the stored normalisations.  One that is missing or damaged on disk is made anew.  What was
recorded before a batch was killed is not done again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.queries.states import MadeWith, Outdated
from apogee_labels.catalog.records import ModelRecord, NightOutcome, utc_now
from apogee_labels.core.errors import BadInputError
from apogee_labels.core.identity import short
from apogee_labels.core.progress import Progress
from apogee_labels.pipeline.analysis.infer import INFERRED_TOGETHER, infer_files, read_model, say_if_unrecorded
from apogee_labels.pipeline.identities import InferenceParameters, ResultIdentities
from apogee_labels.pipeline.nights.night import UNDER_WAY

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

_DIGITS = 8
"""Of an identity, in the bounds of a batch: enough to divide a million spectra evenly."""
_BEYOND = "g"
"""Comes after every identity, which is hexadecimal."""


@dataclass(frozen=True)
class Batch:
    """A part of the space of identities: the normalisations from `first` on, and before `end`.

    Identities are digests, and so equal parts of their space hold about equally many.  A batch names no spectra: what comes
    while it waits is in it, and what was done meanwhile is not.
    """

    number: int
    """From 1."""
    of: int
    first: str
    end: str

    def as_json(self) -> dict[str, str | int]:
        """Return the batch as plain values, for an XCom."""
        return asdict(self)

    def __str__(self) -> str:
        return f"batch {self.number} of {self.of}"


@dataclass
class Reanalysed:
    """What became of a batch: spectra that were due, of them inferred and rejected, and the errors of the others."""

    n_due: int = 0
    n_inferred: int = 0
    n_rejected: int = 0
    faults: list[Exception] = field(default_factory=list)


def plan_reanalysis(
    workspace: Workspace, model_id: str, regions: Path, *, batch_size: int, max_batches: int
) -> list[Batch]:
    """Divide what has no result by a model into batches of about equal size; none when there is nothing to do.

    Parameters
    ----------
    workspace
        The installation.
    model_id
        Identity of the model.
    regions
        The continuum regions of the nightly DAGs.
    batch_size
        Spectra of a batch, about; more where there would be more than `max_batches` of them.
    max_batches
        At most so many batches.
    """
    n_outdated = count_outdated(workspace, model_id, regions)
    number = min(max_batches, math.ceil(n_outdated / batch_size))
    log.info(
        "%d spectra have no result by model %s: %d batch(es) of about %d",
        n_outdated, short(model_id), number, math.ceil(n_outdated / max(number, 1)),
    )  # fmt: skip
    bounds = ["", *(f"{16**_DIGITS * place // number:0{_DIGITS}x}" for place in range(1, number)), _BEYOND]
    return [Batch(place + 1, number, bounds[place], bounds[place + 1]) for place in range(number)]


def count_outdated(workspace: Workspace, model_id: str, regions: Path, *, before: datetime | None = None) -> int:
    """Return how many spectra of the archive's present files have no result by a model.

    Parameters
    ----------
    before
        Only those that were normalised before that moment; default: all.
    """
    return workspace.catalog.states.count_outdated(*_wanted(model_id, regions), before=before)


def reanalyse(workspace: Workspace, model_id: str, batch: Batch, regions: Path) -> Reanalysed:
    """Infer the labels of what has no result by a model in one batch; what fails does not stop the others.

    Parameters
    ----------
    workspace
        The installation.
    model_id
        Identity of the model.
    batch
        What :func:`plan_reanalysis` made.
    regions
        The continuum regions of the nightly DAGs.

    Raises
    ------
    BadInputError
        The model is not on record, or its file is not there or not whole.
    OSError
        The model or the catalogue cannot be read now; try again.
    """
    due = workspace.catalog.states.outdated(*_wanted(model_id, regions), batch.first, batch.end)
    log.info("%s: %d spectra", batch, len(due))
    done, progress = Reanalysed(n_due=len(due)), Progress(log, f"{batch}, spectra", len(due))
    if not due:
        log.info("%s: nothing is left to do", batch)
        return done
    model, parameters = read_model(workspace, model_id), InferenceParameters()
    say_if_unrecorded(model, model_id)
    for some in _together(due):
        for outcome in infer_files(workspace, some, model_id, parameters, model=model):
            if outcome.fault is None:
                done.n_inferred += 1
            elif isinstance(outcome.fault, BadInputError):
                done.n_rejected += 1
            else:
                outcome.fault.add_note(f"normalisation {short(outcome.subject)}")
                done.faults.append(outcome.fault)
        progress.add(len(some))
    log.info(
        "%s: %d spectra in %.1f s (%.0f/s): %d inferred, %d rejected, %d failed",
        batch, len(due), progress.seconds, progress.rate, done.n_inferred, done.n_rejected, len(done.faults),
    )  # fmt: skip
    return done


def overtaken_by(workspace: Workspace, outcome: NightOutcome) -> ModelRecord | None:
    """Return the model in force when a night's run, which has ended, was pinned to another one or to none.

    What that run analysed has no result by it; None where there is none, or the run had no files.
    """
    if not outcome.files:
        return None
    model = workspace.catalog.models.in_force(workspace.settings.model_name)
    return None if model is None or model.id == outcome.model_id else model


def _wanted(model_id: str, regions: Path) -> tuple[MadeWith, datetime]:
    """Return the results that every star is to have, and since when a night's run that has one in hand is left alone."""
    kinds = [ResultIdentities.nightly(regions, visits=visits) for visits in (False, True)]
    made = MadeWith(
        normalizations=[kind.normalization for kind in kinds],
        inference=kinds[0].inference,
        model_id=model_id,
        reader_version=READER_VERSION,
    )
    return made, utc_now() - UNDER_WAY


def _together(due: Sequence[Outdated]) -> Iterator[list[str]]:
    """Divide spectra into those that are in memory at once: a star whose visits were analysed one by one has many rows."""
    some, n_rows = list[str](), 0
    for spectrum in due:
        if some and n_rows + spectrum.n_rows > INFERRED_TOGETHER:
            yield some
            some, n_rows = [], 0
        some.append(spectrum.normalization_id)
        n_rows += spectrum.n_rows
    if some:
        yield some
