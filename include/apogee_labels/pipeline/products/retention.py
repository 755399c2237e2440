"""Which normalised products are on disk, and which of them need not be.

Takes the products below ``normalized/`` of the data folder; deletes those that a policy says; nothing else is touched, the
catalogue and its results least of all.  A product that is deleted and asked for again is made anew from the archive
(:mod:`apogee_labels.pipeline.analysis.rebuild`), so that this may run beside any task: one that has just seen a
product, and finds it gone,
makes it again.  Broken off, it has deleted a part; the next run does the rest.

``apogee-labels retention`` reports; with ``--delete`` it deletes.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from apogee_labels.catalog.records import ArchiveFile, FileState, NormalizationRecord
from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.analysis.rebuild import CannotRebuildError, recorded_parameters
from apogee_labels.pipeline.ingest.registration import FileStat, file_stat
from apogee_labels.pipeline.parameters import RetentionPolicy

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

DAY = 86400.0


class Kind(StrEnum):
    """What a file below ``normalized/`` is."""

    REBUILDABLE = "rebuildable"  # of a content that a path of the archive holds now: it can be made anew
    LAST = "last"  # of the last content of a path that is gone, or of a reference star: needed, never deleted
    SUPERSEDED = "superseded"  # of a content that was rewritten, or made by another version of the method
    ORPHAN = "orphan"  # of no record: its task ended before it was recorded
    PART = "part"  # of a write that was broken off


def days_of(policy: RetentionPolicy, kind: Kind) -> float:
    """Return from how many days on a kind is deleted; infinity: never."""
    days = {
        Kind.SUPERSEDED: policy.superseded_days,
        Kind.REBUILDABLE: policy.rebuildable_days,
        Kind.ORPHAN: policy.leftover_days,
        Kind.PART: policy.leftover_days,
    }.get(kind)
    return float("inf") if days is None else days


@dataclass
class Tally:
    """A number of files and their bytes."""

    files: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Count a file."""
        self.files += 1
        self.bytes += size


def _tallies() -> dict[Kind, Tally]:
    return {kind: Tally() for kind in Kind}


@dataclass
class RetentionReport:
    """What was on disk, and what was deleted of it (without `deletes`: would be)."""

    deletes: bool
    found: dict[Kind, Tally] = field(default_factory=_tallies)
    deleted: dict[Kind, Tally] = field(default_factory=_tallies)

    def lines(self) -> list[str]:
        """Return the report as people read it."""
        would = "deleted" if self.deletes else "would be deleted"
        lines = [
            f"* {kind}: {found.files} file(s), {_size(found.bytes)}; "
            f"{self.deleted[kind].files} of them, {_size(self.deleted[kind].bytes)}, {would}"
            for kind, found in self.found.items()
        ]
        before, gone = (sum(each.bytes for each in tallies.values()) for tallies in (self.found, self.deleted))
        return [*lines, f"Normalised products: {_size(before)} before, {_size(before - gone)} after"]

    def as_json(self) -> dict[str, object]:
        """Return the counts."""
        kinds = {kind.value: {**vars(self.found[kind]), "deleted": self.deleted[kind].files} for kind in Kind}
        before, gone = (sum(each.bytes for each in tallies.values()) for tallies in (self.found, self.deleted))
        return {"deletes": self.deletes, **kinds, "bytes_before": before, "bytes_after": before - gone}


def retain(workspace: Workspace, policy: RetentionPolicy, *, delete: bool = False) -> RetentionReport:
    """Look at every normalised product on disk, and delete what the policy says; one at a time in an installation.

    Parameters
    ----------
    workspace
        The installation.
    policy
        What is deleted.
    delete
        Delete; by default it is only told what would be.

    Raises
    ------
    OSError
        The disk or the database has trouble; what was deleted until then stays deleted.
    """
    report, judge = RetentionReport(delete), _Judge(workspace)
    with workspace.lock("retention"):
        for folder in _folders(workspace.settings.data_dir / "normalized"):
            for file, kind in judge.kinds(_files(folder)):
                report.found[kind].add(file.size)
                age = (time.time() - file.mtime_ns / 1e9) / DAY
                if age >= days_of(policy, kind) and (not delete or _delete(file)):
                    report.deleted[kind].add(file.size)
    return report


class _File(NamedTuple):
    path: Path
    size: int
    mtime_ns: int


class _Judge:
    """Tells what files are, a folder of them at a time: a million take no more memory than a few thousand."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._present_method: dict[str, bool] = {}
        self._references = workspace.catalog.reference_stars.normalizations()

    def kinds(self, files: Sequence[_File]) -> Iterator[tuple[_File, Kind]]:
        catalog = self._workspace.catalog
        records = catalog.normalizations.find(file.path.stem for file in files if file.path.suffix == ".fits")
        holders = catalog.archive.files_with({record.digest for record in records.values()})
        for file in files:
            if file.path.suffix == ".part":
                yield file, Kind.PART
            elif (record := records.get(file.path.stem)) is None:
                yield file, Kind.ORPHAN
            else:
                kind = self._kind(record, holders.get(record.digest, []))
                # On reference stars models are compared for years, with the spectrum that was chosen.
                yield file, Kind.LAST if kind is Kind.SUPERSEDED and record.id in self._references else kind

    def _kind(self, record: NormalizationRecord, holders: Sequence[ArchiveFile]) -> Kind:
        if not holders:
            return Kind.SUPERSEDED
        if any(_is_there(holder) for holder in holders):
            return Kind.REBUILDABLE if self._is_of_present_method(record) else Kind.SUPERSEDED
        return Kind.LAST

    def _is_of_present_method(self, record: NormalizationRecord) -> bool:
        """Whether this code, with the regions that are here, makes that product; asked once for all of its kind."""
        key = digest_of(**record.parameters)
        if key not in self._present_method:
            try:
                parts = recorded_parameters(self._workspace, record).as_json()
                self._present_method[key] = digest_of(**parts) == key
            except CannotRebuildError:
                self._present_method[key] = False
        return self._present_method[key]


def _is_there(holder: ArchiveFile) -> bool:
    """Whether a path still has the file that was indexed: what was changed since, no scan has seen yet."""
    return holder.state is FileState.PRESENT and file_stat(holder.path) == FileStat(holder.size, holder.mtime_ns)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _files(folder: Path) -> list[_File]:
    """Return the products and unfinished writes of a folder; what else somebody put there is none of ours."""
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".fits", ".part")) and entry.is_file(follow_symlinks=False):
                stat = entry.stat(follow_symlinks=False)
                files.append(_File(Path(entry.path), stat.st_size, stat.st_mtime_ns))
    return files


def _delete(file: _File) -> bool:
    """Delete a file, unless it was written anew since it was looked at or is gone already."""
    if file_stat(file.path) != FileStat(file.size, file.mtime_ns):
        return False
    file.path.unlink(missing_ok=True)
    return True


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
