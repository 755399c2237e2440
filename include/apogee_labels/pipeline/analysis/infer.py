"""Normalised spectra and a model become labels.

Takes identities of normalisations and of a model; done already where a result by that model exists; makes results with
every label, its errors and the full covariance.  A file whose product cannot be read is no matter of the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from apogee_labels.catalog.db.rows import chunks
from apogee_labels.catalog.records import NormalizationRecord, ResultRecord, ResultRow
from apogee_labels.core.code_version import code_version
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import short
from apogee_labels.pipeline.analysis.agreement import compare_results
from apogee_labels.pipeline.analysis.model_cache import read_cached
from apogee_labels.pipeline.analysis.rebuild import read_or_rebuild
from apogee_labels.pipeline.analysis.result_rows import result_rows
from apogee_labels.pipeline.analysis.trained_normalization import check_model, recorded_normalization
from apogee_labels.pipeline.identities import InferenceParameters, result_id
from apogee_labels.pipeline.outcome import Outcome, attempt, record_together

if TYPE_CHECKING:
    from apogee_labels.cannon.io.normalized import NormalizedSpectrum
    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

INFERRED_TOGETHER = 256
"""Files whose spectra are in memory at once, and whose results are recorded in one transaction."""


class NotNormalizedError(LookupError):
    """A normalisation that is not on record: its file's normalize task comes first."""


@dataclass(frozen=True)
class InferredFile:
    """What :func:`infer_files` answers for a file: the result's identity, and whether it was there already."""

    result_id: str
    already_complete: bool


@dataclass(frozen=True)
class Inferred:
    """What :func:`infer_labels` answers: the results' identities, in order, and how many existed already."""

    result_ids: tuple[str, ...]
    n_complete: int


def infer_labels(
    workspace: Workspace,
    normalization_ids: Sequence[str],
    model_id: str,
    parameters: InferenceParameters,
    *,
    again: bool = False,
) -> Inferred:
    """Infer the labels of normalised files, all or an error; arguments and errors as for :func:`infer_files`.

    The first error of a file is raised after the others were recorded.
    """
    files = [
        outcome.unwrap() for outcome in infer_files(workspace, normalization_ids, model_id, parameters, again=again)
    ]
    return Inferred(tuple(file.result_id for file in files), sum(file.already_complete for file in files))


def infer_files(
    workspace: Workspace,
    normalization_ids: Sequence[str],
    model_id: str,
    parameters: InferenceParameters,
    *,
    again: bool = False,
    model: CannonModel | None = None,
) -> list[Outcome[InferredFile]]:
    """Infer the labels of normalised files, all rows of all files in one call of the engine.

    Parameters
    ----------
    workspace
        The installation.
    normalization_ids
        Identities of normalisations; a product that is missing or damaged is made anew.
    model_id
        Identity of the model.
    parameters
        How labels are inferred.
    again
        Do it although it is done.  The record stays, and the work is counted as done twice.
    model
        The model itself, by whom has read it already (:func:`read_model`); default: it is read.

    Returns
    -------
    list of Outcome
        What became of each file, in their order.  A fault is a BadInputError where the content is nowhere any more, or where
        the model was trained with another normalisation than the file's, a :class:`NotNormalizedError`, or what
        :func:`apogee_labels.pipeline.analysis.rebuild.read_or_rebuild` raises.

    Raises
    ------
    BadInputError
        The model is not on record, its file is not there or not whole, or it was trained with another normalisation than
        every file's.
    OSError
        The model or the catalogue cannot be read now; try again.
    """
    started = time.perf_counter()
    run = _Run(workspace, model_id, parameters)
    identities = {item: result_id(item, model_id, run.parts) for item in normalization_ids}
    existing = set() if again else workspace.catalog.results.existing(identities.values())
    outcomes = {
        item: Outcome(item, InferredFile(identity, identity in existing)) for item, identity in identities.items()
    }
    due = [item for item, identity in identities.items() if identity not in existing]
    if due:
        if model is None:  # otherwise its reader calls again and again
            model = read_model(workspace, model_id)
            say_if_unrecorded(model, model_id)
        run.trained = recorded_normalization(model.metadata)
        for some in chunks(due, INFERRED_TOGETHER):
            faults = run.of(model, {item: identities[item] for item in some}, compare=again)
            outcomes |= {item: Outcome(item, fault=fault) for item, fault in faults.items()}
        if run.n_refused == len(due):
            raise outcomes[due[0]].fault or AssertionError("a file that was refused has a fault")
    log.info(
        "%d file(s) inferred with model %s in %.2f s, %d complete before",
        len(due), short(model_id), time.perf_counter() - started, len(identities) - len(due),
    )  # fmt: skip
    return [outcomes[item] for item in normalization_ids]


def stars_of(workspace: Workspace, normalization_ids: Sequence[str]) -> list[str]:
    """Return the stars whose spectra these normalisations are, in order; unknown ones are left out."""
    records = workspace.catalog.normalizations.find(list(normalization_ids))
    digests = [records[item].digest for item in normalization_ids if item in records]
    spectra = workspace.catalog.spectra.find(digests)
    return [spectra[digest].obj for digest in digests if digest in spectra]


def say_if_unrecorded(model: CannonModel, model_id: str) -> None:
    """Warn where a model does not say what its training spectra were normalised with."""
    if recorded_normalization(model.metadata) is None:
        log.warning(
            "model %s has no record of its training set's normalisation; it is taken to be this one", short(model_id)
        )


def read_model(workspace: Workspace, model_id: str) -> CannonModel:
    """Read a model that is on record.

    Raises
    ------
    BadInputError
        It is not, or its file is missing or damaged; training it again makes it anew.
    """
    record = workspace.catalog.models.get(model_id)
    if record is None:
        raise BadInputError(
            Reason.BAD_MODEL, f"no model {short(model_id)} in the catalogue: train one with the DAG cannon_training."
        )
    return read_cached(workspace.model_path(model_id))  # not record.path: the data folder may have moved


class _File(NamedTuple):
    """A file whose spectrum is in memory: its result's identity, its normalisation and that spectrum."""

    identity: str
    normalization: NormalizationRecord
    spectrum: NormalizedSpectrum

    @property
    def mjds(self) -> tuple[int | None, ...]:
        """Of each row; None for a stack, also of a single visit."""
        n_rows = len(self.spectrum.flux)
        return (None,) * n_rows if self.normalization.parameters["sum_axis"] == 0 else self.spectrum.mjds


class _Run:
    """One call of :func:`infer_files`."""

    def __init__(self, workspace: Workspace, model_id: str, parameters: InferenceParameters) -> None:
        self.workspace, self.model_id, self.parameters = workspace, model_id, parameters
        self.parts = parameters.as_json()
        self.trained: dict[str, object] | None = None
        self.n_refused = 0

    def of(self, model: CannonModel, identities: dict[str, str], *, compare: bool) -> dict[str, Exception]:
        """Infer some files and record their results; the faults, by normalisation."""
        known = self.workspace.catalog.normalizations.find(identities)
        read = [
            attempt(item, partial(self._read, identity, item, known.get(item))) for item, identity in identities.items()
        ]
        inferred = self._infer(model, [each.unwrap() for each in read if each.fault is None])
        made = [each.unwrap() for each in inferred if each.fault is None]
        if compare:
            self._compare(made)
        refused = record_together(made, self.workspace.catalog.results.record_all) if made else []
        faults = {each.subject: each.fault for each in read} | {each.subject: each.fault for each in inferred}
        faults |= {result.normalization_id: fault for result, fault in zip(made, refused, strict=True)}
        return {item: fault for item, fault in faults.items() if fault is not None}

    def _read(self, identity: str, item: str, record: NormalizationRecord | None) -> _File:
        if record is None:
            raise NotNormalizedError(
                f"no normalisation {short(item)} in the catalogue: run the file's normalize task first."
            )
        try:
            check_model(self.model_id, self.trained, record.parameters)
        except BadInputError:
            self.n_refused += 1
            raise
        return _File(identity, record, read_or_rebuild(self.workspace, record))

    def _infer(self, model: CannonModel, files: Sequence[_File]) -> list[Outcome[ResultRecord]]:
        """Infer all in one call; should that fail, one by one, so that it fails for one alone."""
        if not files:
            return []
        subjects = [file.normalization.id for file in files]
        together = attempt("all", partial(self._results, model, files))
        if together.fault is None:
            return [Outcome(subject, result) for subject, result in zip(subjects, together.unwrap(), strict=True)]
        if len(files) == 1:
            return [Outcome(subjects[0], fault=together.fault)]
        log.warning("%d files are inferred one by one, for together they are not: %s", len(files), together.fault)
        return [outcome for file in files for outcome in self._infer(model, [file])]

    def _results(self, model: CannonModel, files: Sequence[_File]) -> list[ResultRecord]:
        import numpy as np

        started = time.perf_counter()
        spectra = [file.spectrum for file in files]
        n_rows = [len(spectrum.flux) for spectrum in spectra]
        inference = model.infer(
            np.concatenate([spectrum.flux for spectrum in spectra]),
            np.concatenate([spectrum.ivar for spectrum in spectra]),
            n_initialisations=self.parameters.n_initialisations,
            use_derivatives=self.parameters.use_derivatives,
            wavelength=spectra[0].wavelength,  # all apStar files share one grid, which may not be the training set's
            starflag=np.repeat([int(spectrum.starflag) for spectrum in spectra], n_rows),
        )
        seconds = (time.perf_counter() - started) / len(files)
        raw_errors, firsts = inference.raw_errors, np.cumsum([0, *n_rows[:-1]]).tolist()
        return [
            self._record(file, result_rows(inference, raw_errors, file.mjds, first), seconds)
            for file, first in zip(files, firsts, strict=True)
        ]

    def _record(self, file: _File, rows: tuple[ResultRow, ...], seconds: float) -> ResultRecord:
        from apogee_labels.cannon.inference.inference import METHOD_VERSION

        return ResultRecord(
            id=file.identity,
            normalization_id=file.normalization.id,
            model_id=self.model_id,
            parameters=self.parts,
            method_version=METHOD_VERSION,
            seconds=seconds,
            rows=rows,
            code_version=code_version(),
        )

    def _compare(self, made: Sequence[ResultRecord]) -> None:
        """Hold what was inferred again against what is on record."""
        for result in made:
            if (before := self.workspace.catalog.results.get(result.id)) is not None:
                compare_results(result.id, before.rows, result.rows)
