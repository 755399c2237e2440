"""Files that are not here, fetched and put on record: what a night lacks, or a training set.

Takes the keys of files; done already for every file that is here; makes the others, several at a time.  What the server does
not have is put on record, and is no error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apogee_labels.apogee.download.fetch_many import Fetched, FetchOutcome, fetch_many
from apogee_labels.catalog.records import Stage
from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.ingest.registration import register_arrivals
from apogee_labels.pipeline.ingest.rejection import record_rejection

if TYPE_CHECKING:
    from apogee_labels.apogee.archive.archive import ApStarKeys
    from apogee_labels.pipeline.workspace import Workspace

SHOWN = 5
"""Stars that an error names; the log has them all."""


def fetch_missing(workspace: Workspace, wanted: Sequence[ApStarKeys], *, parallel: int) -> list[Fetched]:
    """Fetch files, and return what became of each, in the order asked for.

    Raises
    ------
    OSError
        Some could not be fetched, after all others were tried; the next call finds those here.
    PermissionError
        The server refused some, and there was no other trouble; a person must act.
    """
    if not wanted:
        return []
    files = fetch_many(workspace.archive(), wanted, remote_base=workspace.settings.remote_base, parallel=parallel)
    for file in files:
        if isinstance(file.error, BadInputError):
            record_rejection(workspace, file.path, Stage.FETCH, file.error)
    # On record at once: a run's listing may be content with a scan from before the fetching.
    register_arrivals(workspace, [file.path for file in files if file.outcome is FetchOutcome.FETCHED])
    _raise_trouble(files)
    return files


def _raise_trouble(files: list[Fetched]) -> None:
    """Raise what may pass, so that it is tried again, and else what needs a person."""
    for outcome, kind, advice in (
        (FetchOutcome.FAILED, OSError, "try again later"),
        (FetchOutcome.REFUSED, PermissionError, "let a person act"),
    ):
        if faults := [file for file in files if file.outcome is outcome]:
            names = ", ".join(file.keys.obj for file in faults[:SHOWN]) + (", ..." if len(faults) > SHOWN else "")
            raise kind(
                f"{len(faults)} of {len(files)} files that are not here {outcome} ({names}); {advice}.  The first: "
                f"{faults[0].error}"
            ) from faults[0].error
