"""apStar files become normalised spectra.

Takes paths; done already for each whose content was normalised with the same parameters and whose product is there; makes
a FITS product and its row in the catalogue for each file, or a recorded rejection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.spectra.apstar import READER_VERSION, parse_apstar
from apogee_labels.catalog.records import (
    ArchiveFile,
    FileState,
    NormalizationRecord,
    NormalizedFile,
    Stage,
    subject_of_path,
)
from apogee_labels.core.code_version import code_version
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_bytes, short
from apogee_labels.fits.input_file import read_content
from apogee_labels.pipeline.analysis.agreement import compare_spectra
from apogee_labels.pipeline.analysis.regions import store_regions
from apogee_labels.pipeline.identities import NormalizationParameters, ResultIdentities, normalization_id
from apogee_labels.pipeline.ingest.registration import (
    FileStat,
    file_stat,
    records_of,
    register_file,
    register_unreadable,
)
from apogee_labels.pipeline.ingest.rejection import record_rejection
from apogee_labels.pipeline.outcome import Outcome, attempt, record_together

if TYPE_CHECKING:
    from apogee_labels.apogee.spectra.apstar import ApStar
    from apogee_labels.cannon.io.normalized import NormalizedSpectrum
    from apogee_labels.catalog.queries.contents import KnownContent
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

RECORDED_TOGETHER = 32
"""Files of a batch that are recorded in one transaction: a crash leaves at most so many to be done again."""


@dataclass(frozen=True)
class Normalized:
    """What :func:`normalize_file` answers: the product's identity, the star, and whether it was there already."""

    normalization_id: str
    obj: str
    already_complete: bool


def normalize_file(
    workspace: Workspace, path: str | Path, parameters: NormalizationParameters, *, again: bool = False
) -> Normalized:
    """Normalise one apStar file, unless that is done.

    Parameters
    ----------
    workspace
        The installation.
    path
        The file.
    parameters
        How its continuum is fitted.
    again
        Do it although it is done, and try what was rejected once more.  The product on disk is replaced; the record stays,
        and the work is counted as done twice.

    Raises
    ------
    BadInputError
        The file is bad for good; its rejection is in the catalogue.
    OSError
        Trouble with the disk or the database that may pass; try again.
    """
    (outcome,) = normalize_files(workspace, [path], parameters, again=again)
    return outcome.unwrap()


def normalize_files(
    workspace: Workspace, paths: Sequence[str | Path], parameters: NormalizationParameters, *, again: bool = False
) -> list[Outcome[Normalized]]:
    """Normalise files, each on its own: what became of each, in their order.  Arguments as for :func:`normalize_file`."""
    return _Run(workspace, parameters, again=again).of(paths)


def make_product(
    workspace: Workspace, star: ApStar, parameters: NormalizationParameters, parts: dict[str, object]
) -> NormalizationRecord:
    """Normalise a star and write its product; the record of it, which is for the caller to keep.

    Raises
    ------
    BadInputError
        NO_CONTINUUM.
    OSError
        The product cannot be written.
    """
    from apogee_labels.cannon.continuum.normalization import METHOD_VERSION, normalize
    from apogee_labels.cannon.io.normalized import write_normalized

    started = time.perf_counter()
    identity = normalization_id(star.digest, parts)
    spectra = normalize(
        star, parameters.regions, length=parameters.length, order=parameters.order, sum_axis=parameters.sum_axis
    )
    product = workspace.normalized_path(identity)
    write_normalized(product, spectra, star=star, provenance={"NORMID": identity, "NORMVERS": METHOD_VERSION})
    return NormalizationRecord(
        id=identity,
        digest=star.digest,
        path=str(product),
        n_rows=len(spectra.flux),
        parameters=parts,
        method_version=METHOD_VERSION,
        seconds=time.perf_counter() - started,
        code_version=code_version(),
    )


class _Run:
    """One call of :func:`normalize_files`: what it knows beforehand, and what it has still to record."""

    def __init__(self, workspace: Workspace, parameters: NormalizationParameters, *, again: bool) -> None:
        self.workspace, self.parameters, self.again = workspace, parameters, again
        self.parts = parameters.as_json()
        self.entries: dict[str, ArchiveFile] = {}
        self.known: dict[str, KnownContent] = {}
        self.stars: dict[str, str] = {}
        self.unrecorded: dict[int, NormalizedFile] = {}
        self.outcomes: list[Outcome[Normalized]] = []

    def of(self, paths: Sequence[str | Path]) -> list[Outcome[Normalized]]:
        """Do the files one after the other; some are recorded together."""
        store_regions(self.workspace, self.parameters.regions, str(self.parts["regions"]))
        self.entries = self.workspace.catalog.archive.indexed(str(path) for path in paths)
        self._look_up({entry.digest for entry in self.entries.values() if entry.digest})
        for path in paths:
            self.outcomes.append(attempt(str(path), partial(self._one, path)))
            if len(self.unrecorded) >= RECORDED_TOGETHER:
                self._record()
        self._record()
        return self.outcomes

    def _one(self, path: str | Path) -> Normalized:
        started = time.perf_counter()
        try:
            return self._content(path, started)
        except BadInputError as fault:
            log.warning("rejected %s: %s: %s", Path(path).name, fault.reason, fault.message)
            raise

    def _content(self, path: str | Path, started: float) -> Normalized:
        stat = file_stat(path)  # before the content: what is written meanwhile must look changed to the next scan
        content = self._read(path, stat)
        digest = digest_bytes(content)
        identity = normalization_id(digest, self.parts)
        if any(identity == each.normalization.id for each in self.unrecorded.values()):
            self._record()  # the same content under two names
        if not self.again and (obj := self._complete(digest)):
            log.info("%s is complete: normalisation %s", obj, short(identity))
            return Normalized(identity, obj, already_complete=True)
        return self._make(path, stat, self._parse(path, stat, content, digest), started)

    def _look_up(self, contents: Collection[str]) -> None:
        """Ask what is known of contents, once for many; what others record meanwhile is done twice, and counted."""
        catalog, identities = self.workspace.catalog, ResultIdentities(self.parts, {})
        self.known |= catalog.contents.known(contents, identities, None, READER_VERSION)
        self.stars |= {digest: spectrum.obj for digest, spectrum in catalog.spectra.find(contents).items()}

    def _complete(self, content: str) -> str | None:
        """Return the star of a content whose product is on record and on disk; None when there is work to do.

        Raises
        ------
        BadInputError
            The content, or this normalisation of it, was rejected before.
        """
        if content not in self.known:  # the index expected another one at its path
            self._look_up({content})
        found = self.known[content]
        if found.rejection:
            raise BadInputError(found.rejection.reason, found.rejection.message)
        product = self.workspace.normalized_path(found.expected.normalization_id)
        return self.stars.get(content) if found.normalization and product.exists() else None

    def _is_indexed(self, path: str, stat: FileStat, content: str) -> bool:
        """Whether the file is on record as it is now, and its content as well."""
        entry = self.entries.get(path)
        if entry is None or entry.state is not FileState.PRESENT or content not in self.stars:
            return False
        return (entry.size, entry.mtime_ns, entry.digest) == (stat.size, stat.mtime_ns, content)

    def _read(self, path: str | Path, stat: FileStat) -> bytes:
        try:
            return read_content(path)
        except BadInputError as fault:
            subject = digest_bytes(b"") if fault.reason is Reason.EMPTY else subject_of_path(str(path))
            self._reject_unread(path, stat, subject, fault)
            raise

    def _parse(self, path: str | Path, stat: FileStat, content: bytes, digest: str) -> ApStar:
        try:
            return parse_apstar(content, path=path, digest=digest)
        except BadInputError as fault:
            self._reject_unread(path, stat, digest, fault)
            raise

    def _make(self, path: str | Path, stat: FileStat, star: ApStar, started: float) -> Normalized:
        from apogee_labels.cannon.io.normalized import read_normalized

        before = self._product_before(star.digest) if self.again else None
        try:
            record = make_product(self.workspace, star, self.parameters, self.parts)
        except BadInputError as fault:
            register_file(self.workspace, path, star, stat)
            self._reject(normalization_id(star.digest, self.parts), Stage.NORMALIZE, path, fault)
            raise
        if before is not None:
            compare_spectra(record.id, before, read_normalized(self.workspace.normalized_path(record.id)))
        news = () if self._is_indexed(str(path), stat, star.digest) else records_of(self.workspace, path, star, stat)
        self.unrecorded[len(self.outcomes)] = NormalizedFile(record, *news)
        seconds = time.perf_counter() - started
        log.info("%s: %d row(s) normalised in %.3f s: %s", star.obj, record.n_rows, seconds, short(record.id))
        return Normalized(record.id, star.obj, already_complete=False)

    def _product_before(self, content: str) -> NormalizedSpectrum | None:
        from apogee_labels.cannon.io.normalized import read_normalized

        try:
            return read_normalized(self.workspace.normalized_path(normalization_id(content, self.parts)))
        except (BadInputError, OSError):
            return None  # there is nothing to compare with

    def _record(self) -> None:
        """Put on record what is made; a file that the catalogue does not take has that for its outcome."""
        if not self.unrecorded:
            return
        faults = record_together(list(self.unrecorded.values()), self.workspace.catalog.normalizations.record_files)
        for (index, made), fault in zip(self.unrecorded.items(), faults, strict=True):
            if fault is None:
                self.known.pop(made.normalization.digest, None)  # the same content may come under another name
            else:
                self.outcomes[index] = Outcome(self.outcomes[index].subject, fault=fault)
        self.unrecorded.clear()

    def _reject_unread(self, path: str | Path, stat: FileStat, subject: str, fault: BadInputError) -> None:
        if file_stat(path) != stat:
            raise OSError(f"{path} was written while it was read: it is tried again, and then whole") from fault
        self._reject(subject, Stage.READ, path, fault)
        register_unreadable(self.workspace, path, subject)

    def _reject(self, subject: str, stage: Stage, path: str | Path, fault: BadInputError) -> None:
        record_rejection(self.workspace, path, stage, fault, subject=subject)
