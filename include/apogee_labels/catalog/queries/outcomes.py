"""What became of the files that a night's run listed: level-triggered, from what the catalogue holds now.

A file can be rewritten between its listing and its analysis.  Both contents, the one now indexed at the path and the
one that was listed, answer for it, the newer first: an outcome of either means that the run did its work.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from apogee_labels.catalog.records import (
    ArchiveFile,
    Expected,
    FileOutcome,
    ListedState,
    Listing,
    NightFile,
    NightFileOutcome,
    RejectionRecord,
    subject_of_path,
)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the catalogue holds about the files of a listing.

    ``contents`` gives the digests that answer for each path, the newer first; ``expected`` the identities that each
    content's products would have; ``results`` and ``normalizations`` those of them that were made; ``rejections`` are
    by subject.
    """

    contents: dict[str, tuple[str, ...]]
    expected: dict[str, Expected]
    results: Collection[str]
    normalizations: Collection[str]
    rejections: dict[str, RejectionRecord]


def decide_outcomes(listing: Listing, evidence: Evidence) -> tuple[NightFileOutcome, ...]:
    """Return the outcome of each file of `listing`, in its order."""
    return tuple(_decide(file, listing, evidence) for file in listing.files)


def contents_of(file: NightFile, indexed: ArchiveFile | None) -> tuple[str, ...]:
    """Return the contents that answer for a file, the newer first."""
    found = (indexed.digest if indexed else None, file.digest)
    return tuple(dict.fromkeys(digest for digest in found if digest is not None))


def _decide(file: NightFile, listing: Listing, evidence: Evidence) -> NightFileOutcome:
    contents = evidence.contents[file.path]
    for digest in contents:
        result_id = evidence.expected[digest].result_id
        if result_id in evidence.results:
            was_there = file.state is ListedState.COMPLETE and digest == file.digest
            outcome = FileOutcome.ALREADY_COMPLETE if was_there else FileOutcome.DONE
            return NightFileOutcome(path=file.path, digest=digest, outcome=outcome, result_id=result_id)
    for digest in contents:
        normalization_id = evidence.expected[digest].normalization_id
        if rejection := evidence.rejections.get(digest) or evidence.rejections.get(normalization_id):
            return _rejected(file, digest, rejection)
    if rejection := _rejected_path(file, listing, evidence):
        return _rejected(file, None, rejection)
    outcome = FileOutcome.NO_MODEL if _awaits_model(contents, listing, evidence) else FileOutcome.UNFINISHED
    return NightFileOutcome(path=file.path, digest=next(iter(contents), None), outcome=outcome)


def _rejected(file: NightFile, digest: str | None, rejection: RejectionRecord) -> NightFileOutcome:
    return NightFileOutcome(
        path=file.path,
        digest=digest,
        outcome=FileOutcome.REJECTED,
        reason=rejection.reason,
        message=rejection.message,
    )


def _rejected_path(file: NightFile, listing: Listing, evidence: Evidence) -> RejectionRecord | None:
    """Return the rejection of the path itself, unless it is from before a listing that found a content there."""
    rejection = evidence.rejections.get(subject_of_path(file.path))
    if rejection is None or file.digest is None or rejection.created >= listing.listed_at:
        return rejection
    return None


def _awaits_model(contents: tuple[str, ...], listing: Listing, evidence: Evidence) -> bool:
    if listing.model_id is not None:
        return False
    return any(evidence.expected[digest].normalization_id in evidence.normalizations for digest in contents)
