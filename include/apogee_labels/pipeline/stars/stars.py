"""What became of stars that were asked for by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import FileStatus, ResultRecord, subject_of_path
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_file
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.ingest.fetch import local_path

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace


@dataclass(frozen=True)
class StarOutcome:
    """One star: its result, or why there is none.  ``reason`` None with no result: unfinished, a person must look."""

    obj: str
    result: ResultRecord | None = None
    reason: Reason | None = None
    message: str = ""

    def lines(self) -> list[str]:
        """Return a line a spectrum, as people read it."""
        if self.result is None:
            return [f"{self.obj}: {self.reason}: {self.message}" if self.reason else f"{self.obj}: unfinished"]
        return [
            f"{self.obj}{f' MJD {row.mjd}' if row.mjd else ''}: "
            + ", ".join(f"{label.name} = {label.value:.4g} +- {label.error:.2g}" for label in row.labels)
            + f" (S/N {row.snr:.0f}, reduced chi-square {row.reduced_chi_sq:.2f}, flags {row.flags})"
            for row in self.result.rows
        ]


def star_outcomes(
    workspace: Workspace,
    stars: Sequence[Mapping[str, Any]],
    identities: ResultIdentities,
    model_id: str | None,
    *,
    unfetched: Collection[int] = (),
) -> list[StarOutcome]:
    """Return what the catalogue knows of each star's present file, in the order asked for.

    A star whose file is not here did not come, which is a result; but not one of `unfetched` (by its place in `stars`),
    whose transfer failed for trouble that may pass: that is unfinished.
    """
    outcomes = [_outcome(workspace, star, identities, model_id) for star in stars]
    return [
        StarOutcome(each.obj) if number in unfetched and each.result is None else each
        for number, each in enumerate(outcomes)
    ]


def _outcome(
    workspace: Workspace, star: Mapping[str, Any], identities: ResultIdentities, model_id: str | None
) -> StarOutcome:
    obj = str(star.get("obj"))
    absent = None
    try:
        path = local_path(workspace, star)
        content = digest_file(path)
    except BadInputError as fault:
        return StarOutcome(obj, reason=fault.reason, message=fault.message)
    except OSError as fault:
        content = subject_of_path(str(path))
        if isinstance(fault, FileNotFoundError):
            absent = StarOutcome(obj, reason=Reason.MISSING, message=f"did not come: there is no {path}.")
    (outcome,) = _of_contents(workspace, [(obj, content)], identities, model_id)
    return absent if absent and outcome.reason is None else outcome


def file_outcomes(
    workspace: Workspace, paths: Sequence[str], identities: ResultIdentities, model_id: str | None
) -> list[StarOutcome]:
    """Return what the catalogue knows of the files at these paths, in their order, each named by its star."""
    indexed = workspace.catalog.archive.indexed(paths)
    stars = []
    for path in paths:
        entry = indexed.get(path)
        content = (entry.digest if entry else None) or subject_of_path(path)
        stars.append((entry.obj if entry else Path(path).name, content))
    return _of_contents(workspace, stars, identities, model_id)


def _of_contents(
    workspace: Workspace, stars: Sequence[tuple[str, str]], identities: ResultIdentities, model_id: str | None
) -> list[StarOutcome]:
    """Return what is known of each star's content, or of its path that has none."""
    known = workspace.catalog.contents.known((content for _, content in stars), identities, model_id, READER_VERSION)
    outcomes = []
    for obj, content in stars:
        found = known[content]
        if found.expected.result_id and found.status is FileStatus.DONE:
            outcomes.append(StarOutcome(obj, workspace.catalog.results.get(found.expected.result_id)))
        elif found.rejection:
            outcomes.append(StarOutcome(obj, reason=found.rejection.reason, message=found.rejection.message))
        elif model_id is None and found.status is FileStatus.NORMALIZED:
            message = "normalised, but there is no model: see the task train."
            outcomes.append(StarOutcome(obj, reason=Reason.BAD_MODEL, message=message))
        else:
            outcomes.append(StarOutcome(obj))
    return outcomes
