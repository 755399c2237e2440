"""What the catalogue is told and what it answers: plain frozen values; no database row leaves the package.

Digests are 64 hexadecimal characters (:mod:`apogee_labels.core.identity`).  Times carry their zone and come back in UTC.  A
float that is not known is NaN; anything else that is not known is ``None``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from apogee_labels.core.errors import Reason
from apogee_labels.core.identity import digest_of


class FileState(StrEnum):
    """What the last scan found at a path of the archive."""

    PRESENT = "present"
    NIGHT_UNKNOWN = "night_unknown"  # there, and its header cannot be read: it belongs to no known night
    GONE = "gone"
    WRITING = "writing"  # there, and not whole yet: it keeps the content that it had last, and no run takes it


class Stage(StrEnum):
    """The step at which an input was rejected."""

    FETCH = "fetch"
    READ = "read"
    NORMALIZE = "normalize"
    INFER = "infer"
    TRAIN = "train"


class VerdictOutcome(StrEnum):
    """What became of a training: never tried twice with the same training set and parameters."""

    ACCEPTED = "accepted"  # validated and put in force
    REFUSED = "refused"  # trained, and worse than what is in force
    BROKEN = "broken"  # the training set cannot be trained from


class WorkKind(StrEnum):
    """The products of which a second making is counted."""

    NORMALIZATION = "normalization"
    MODEL = "model"
    RESULT = "result"


class FileStatus(StrEnum):
    """What is known of a content, and so of the file that holds it and of the work on it.

    Of a content alone: DONE, REJECTED, NORMALIZED or DUE (:mod:`apogee_labels.catalog.queries.contents`).  A run lists its
    files as DUE, COMPLETE or REJECTED, and leaves them in one of :data:`OUTCOMES`.  What a night's files are now is all but
    DUE and COMPLETE (:mod:`apogee_labels.catalog.queries.states`).
    """

    DONE = "done"  # it has a result by the model in question
    REJECTED = "rejected"  # bad input: see the reason
    FAILED = "failed"  # a run took it and has ended, and there is neither a result nor a rejection
    UNDER_WAY = "under_way"  # a run took it, and has not published yet
    WRITING = "writing"  # it is still being written, and no run takes it
    WAITING = "waiting"  # no run has taken it since its content came
    NORMALIZED = "no_model"  # normalised, without a result: of a file, because there is no model
    OUTDATED = "outdated"  # normalised, and taken by a run of another model than the one in force
    GONE = "gone"  # not in the archive any more; what was made of it stays
    DUE = "due"  # nothing is known of it: work for a run
    COMPLETE = "complete"  # what a run was to make of it was there before


NIGHT_STATUSES: tuple[FileStatus, ...] = tuple(
    status for status in FileStatus if status not in (FileStatus.DUE, FileStatus.COMPLETE)
)
"""What a file of a night can be, asked for at any time."""

KEEPS_OPEN: tuple[FileStatus, ...] = (
    FileStatus.FAILED,
    FileStatus.UNDER_WAY,
    FileStatus.WRITING,
    FileStatus.WAITING,
    FileStatus.NORMALIZED,
    FileStatus.OUTDATED,
)
"""What keeps a night from being done, the most urgent first."""

OUTCOMES: Mapping[FileStatus, str] = {
    FileStatus.DONE: "done",
    FileStatus.COMPLETE: "already_complete",
    FileStatus.REJECTED: "rejected",
    FileStatus.NORMALIZED: "no_model",
    FileStatus.FAILED: "unfinished",
}
"""What can have become of a file that a run listed, and the word under which the run's summary counts it."""


def utc_now() -> datetime:
    """Return this moment, in UTC."""
    return datetime.now(UTC)


def subject_of_path(path: str) -> str:
    """Return what a rejection is about when there is no content to digest: a file that is missing, or is no file."""
    return digest_of(path=str(path))


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveFile:
    """A path of the archive as its last scan found it.

    ``digest`` is that of the content, ``None`` when there is none to read (a directory with the name of a spectrum).
    """

    path: str
    telescope: str
    obj: str
    size: int
    mtime_ns: int
    digest: str | None
    state: FileState = FileState.PRESENT
    scanned_at: datetime = dataclasses.field(default_factory=utc_now)


@dataclass(frozen=True, kw_only=True, slots=True)
class VisitRecord:
    """One visit of a spectrum, as its header tells it; ``number`` counts from 1."""

    number: int
    mjd: int
    fiber: int | None = None
    snr: float = math.nan
    starflag: int = 0
    file: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SpectrumRecord:
    """A content of an apStar file that was read: known by its digest; ``path`` is where it was first seen."""

    digest: str
    path: str
    obj: str
    telescope: str | None
    field: str | None
    healpix: int | None
    release: str
    apred: str
    snr: float
    n_visits: int
    starflag: int
    reader_version: str
    visits: tuple[VisitRecord, ...]
    seen_at: datetime = dataclasses.field(default_factory=utc_now)


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalizationRecord:
    """A normalised spectrum: of which content, with which parameters, and the file that holds it."""

    id: str
    digest: str
    path: str
    n_rows: int
    parameters: Mapping[str, object]
    method_version: str
    seconds: float = math.nan
    created: datetime = dataclasses.field(default_factory=utc_now)
    code_version: str | None = None


class NormalizedFile(NamedTuple):
    """A product, and what is new about the file that it was made of: its path now and its content; None: on record."""

    normalization: NormalizationRecord
    file: ArchiveFile | None = None
    spectrum: SpectrumRecord | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRecord:
    """A trained model: from which training set, with which parameters, and the file that holds it."""

    id: str
    name: str
    training_set_digest: str
    parameters: Mapping[str, object]
    label_names: tuple[str, ...]
    n_stars: int
    n_pixels: int
    path: str
    method_version: str
    seconds: float = math.nan
    created: datetime = dataclasses.field(default_factory=utc_now)
    normalization: Mapping[str, object] | None = None
    provenance: Mapping[str, object] | None = None
    code_version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InForce:
    """A time during which a model was in force under a name, by whom and why; ``until`` None: it still is."""

    name: str
    model_id: str
    since: datetime
    until: datetime | None
    decided_by: str
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRecord:
    """What was decided about a training, known by the identity of its training set and parameters."""

    identity: str
    outcome: VerdictOutcome
    reason: str
    model_id: str | None
    decided_by: str
    created: datetime = dataclasses.field(default_factory=utc_now)
    details: Mapping[str, object] | None = None


class LabelValue(NamedTuple):
    """A label of a spectrum with its errors, in the label's unit.

    ``raw_error`` is the formal one; ``error`` has in quadrature what validation found beyond it.
    """

    name: str
    value: float
    error: float
    raw_error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultRow:
    """The labels of one normalised row.

    ``mjd`` is that of the row's visit, ``None`` for a stack of visits.  ``labels`` and the formal ``covariance`` (L, L) are
    in the order of the model's labels.  ``n_iterations`` counts the steps of the fit; -1: not known.  ``unexplained`` is
    the share of the lines that the model leaves unexplained.
    """

    row: int
    mjd: int | None
    labels: tuple[LabelValue, ...]
    covariance: tuple[tuple[float, ...], ...]
    chi_sq: float
    reduced_chi_sq: float
    snr: float
    n_pixels: int
    converged: bool
    flags: int
    n_iterations: int = -1
    unexplained: float = math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultRecord:
    """What a model inferred from a normalised spectrum, all its rows together."""

    id: str
    normalization_id: str
    model_id: str
    parameters: Mapping[str, object]
    method_version: str
    rows: tuple[ResultRow, ...]
    seconds: float = math.nan
    created: datetime = dataclasses.field(default_factory=utc_now)
    code_version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectionRecord:
    """Input that is bad for good.

    ``subject`` is the digest of its content, or :func:`subject_of_path` when there is none.  ``created`` is when it
    was last found so.
    """

    subject: str
    path: str
    stage: Stage
    reason: Reason
    message: str
    reader_version: str
    created: datetime = dataclasses.field(default_factory=utc_now)

    @property
    def id(self) -> str:
        """Its identity: the subject, the stage and the reader's version, so that a mended reader tries again."""
        return digest_of(subject=self.subject, stage=self.stage.value, reader_version=self.reader_version)


class Night(NamedTuple):
    """A night at a telescope, by its SDSS MJD."""

    telescope: str
    mjd: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOfNight:
    """A run over a night: by which model, when it listed its files and when it published (None: not yet), its summary."""

    telescope: str
    mjd: int
    run_id: str
    model_id: str | None
    listed_at: datetime
    published_at: datetime | None
    summary: Mapping[str, object] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NightFile:
    """A file that a night's run listed; ``digest`` is its content then, if it had one."""

    path: str
    digest: str | None
    state: FileStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What a night's run set out to do, by which model, and what it published."""

    telescope: str
    mjd: int
    run_id: str
    model_id: str | None
    files: tuple[NightFile, ...]
    listed_at: datetime
    published_at: datetime | None = None
    summary: Mapping[str, object] | None = None


class Expected(NamedTuple):
    """The identities that a content's products have in a run; ``result_id`` is ``None`` where no model is pinned."""

    normalization_id: str
    result_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NightFileOutcome:
    """What became of one listed file; ``digest`` is the content that this is about."""

    path: str
    digest: str | None
    outcome: FileStatus
    result_id: str | None = None
    reason: Reason | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NightOutcome:
    """What became of everything that a night's run listed."""

    telescope: str
    mjd: int
    run_id: str
    model_id: str | None
    files: tuple[NightFileOutcome, ...]

    def having(self, outcome: FileStatus) -> tuple[NightFileOutcome, ...]:
        """Return the files with that outcome, in the order of their paths."""
        return tuple(file for file in self.files if file.outcome is outcome)

    @property
    def counts(self) -> dict[FileStatus, int]:
        """How many files had each outcome; every outcome is named."""
        return {outcome: len(self.having(outcome)) for outcome in OUTCOMES}
