"""Why is this night not done?  What became of the files of one night, or of many, from the catalogue alone.

Takes nights; makes nothing.  The files of a night are those whose content has a visit on its SDSS MJD, and those that its
runs found unreadable.  ``done`` is by the model in force and the parameters of the nightly DAGs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from apogee_labels.apogee.archive.nights import OBSERVATORIES, observatory
from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.queries.states import FileNow, MadeWith, NightRange
from apogee_labels.catalog.records import NIGHT_STATUSES, FileStatus, Night, RunOfNight
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.nights.drift import stands_out
from apogee_labels.pipeline.nights.night_verdict import MEANING, NightVerdict, night_verdict

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace


@dataclass(frozen=True)
class FileReport:
    """A file of a night: what became of it, the kind of fault if it was rejected, and the rest in words."""

    path: str
    status: FileStatus
    reason: str
    message: str


@dataclass(frozen=True)
class NightStatus:
    """A night, what became of each of its files, its runs in the order of their listings, and the verdict."""

    night: Night
    model_id: str | None
    files: tuple[FileReport, ...]
    runs: tuple[RunOfNight, ...]
    listed: Mapping[str, Counter[FileStatus]]
    verdict: NightVerdict

    @property
    def counts(self) -> Counter[FileStatus]:
        """How many files have each state."""
        return Counter(file.status for file in self.files)

    @property
    def stands_out(self) -> tuple[str, ...]:
        """In what the night differs from those before it, by the last run that published it: a sentence each."""
        return _stands_out(self.runs)

    def as_json(self) -> dict[str, object]:
        """Return all of it as plain JSON values."""
        return {
            **_night_as_json(self.night),
            "model_id": self.model_id,
            "done": self.verdict.is_done,
            "verdict": self.verdict.sentence,
            "stands_out": list(self.stands_out),
            "counts": _counts_as_json(self.counts),
            "files": [
                {"path": file.path, "status": file.status.value, "reason": file.reason, "message": file.message}
                for file in self.files
            ],
            "runs": [
                _run_as_json(run) | {"listed": {state.value: n for state, n in self.listed.get(run.run_id, {}).items()}}
                for run in self.runs
            ],
        }


@dataclass(frozen=True)
class NightRow:
    """A night in an overview: how many files have each state, its last run, and the verdict."""

    night: Night
    counts: Counter[FileStatus]
    last_run: RunOfNight | None
    verdict: NightVerdict
    stands_out: tuple[str, ...] = ()

    @property
    def n_files(self) -> int:
        """How many files belong to the night."""
        return self.counts.total()

    @property
    def evening(self) -> date:
        """Local date on which the night began."""
        return observatory(self.night.telescope).local_date(self.night.mjd)

    def as_json(self) -> dict[str, object]:
        """Return the row as plain JSON values."""
        return {
            **_night_as_json(self.night),
            "files": self.n_files,
            "counts": _counts_as_json(self.counts),
            "last_run": _run_as_json(self.last_run) if self.last_run else None,
            "done": self.verdict.is_done,
            "verdict": self.verdict.sentence,
            "stands_out": list(self.stands_out),
        }


def night_status(workspace: Workspace, telescope: str, mjd: int, *, now: datetime | None = None) -> NightStatus:
    """Return what became of each file of a night.

    Raises
    ------
    ValueError
        The telescope is not known, or the MJD has no date.
    """
    night = Night(observatory(telescope).telescope, mjd)
    observatory(telescope).interval(mjd)
    nights = NightRange([telescope], mjd, mjd)
    made, identities = _made(workspace)
    found = workspace.catalog.states.files(nights, made, identities)
    files = tuple(sorted((_report(file) for file in found), key=lambda file: file.path))
    runs = tuple(workspace.catalog.nights.runs(nights))
    judged = night_verdict(night, Counter(file.status for file in files), runs, now or datetime.now(UTC))
    return NightStatus(night, made.model_id, files, runs, workspace.catalog.nights.count_listed(night), judged)


def nights_overview(
    workspace: Workspace,
    first: int,
    last: int,
    telescopes: Iterable[str] = tuple(OBSERVATORIES),
    *,
    now: datetime | None = None,
) -> list[NightRow]:
    """Return a row for each night that has a file or a run, the newest first, in a few statements for any number of nights.

    Parameters
    ----------
    first, last
        SDSS MJDs, both included.
    """
    nights = NightRange([observatory(telescope).telescope for telescope in telescopes], first, last)
    made, identities = _made(workspace)
    counts = workspace.catalog.states.count(nights, made, identities)
    runs: dict[Night, list[RunOfNight]] = {}
    for run in workspace.catalog.nights.runs(nights):
        runs.setdefault(Night(run.telescope, run.mjd), []).append(run)
    newest_first = sorted({*counts, *runs}, key=lambda night: (-night.mjd, night.telescope))
    now = now or datetime.now(UTC)
    return [_row(night, counts.get(night, Counter()), runs.get(night, ()), now) for night in newest_first]


def _row(night: Night, counts: Counter[FileStatus], runs: Sequence[RunOfNight], now: datetime) -> NightRow:
    last = runs[-1] if runs else None
    return NightRow(night, counts, last, night_verdict(night, counts, runs, now), _stands_out(runs))


def _stands_out(runs: Sequence[RunOfNight]) -> tuple[str, ...]:
    published = [run for run in runs if run.published_at is not None]
    return stands_out(published[-1].summary) if published else ()


def _made(workspace: Workspace) -> tuple[MadeWith, ResultIdentities]:
    identities = ResultIdentities.nightly(workspace.settings.continuum_regions)
    model = workspace.catalog.models.in_force(workspace.settings.model_name)
    made = MadeWith(
        normalizations=[identities.normalization],
        inference=identities.inference,
        model_id=model.id if model else None,
        reader_version=READER_VERSION,
    )
    return made, identities


def _report(file: FileNow) -> FileReport:
    message = file.message.removeprefix(f"{file.path}: ") or MEANING[file.status]
    return FileReport(file.path, file.status, file.reason.value if file.reason else "", message)


def _night_as_json(night: Night) -> dict[str, object]:
    site = observatory(night.telescope)
    start, end = site.interval(night.mjd)
    return {
        "telescope": night.telescope,
        "mjd": night.mjd,
        "evening": site.local_date(night.mjd).isoformat(),
        "timezone": site.timezone,
        "start": start.isoformat(),
        "end": end.isoformat(),
    }


def _counts_as_json(counts: Mapping[FileStatus, int]) -> dict[str, int]:
    return {status.value: counts.get(status, 0) for status in NIGHT_STATUSES}


def _run_as_json(run: RunOfNight) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "model_id": run.model_id,
        "listed_at": run.listed_at.isoformat(),
        "published_at": run.published_at.isoformat() if run.published_at else None,
        "summary": run.summary,
    }
