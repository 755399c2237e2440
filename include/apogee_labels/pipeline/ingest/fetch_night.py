"""A night's files that are known but not here.

Takes a telescope and an SDSS MJD; done already for every file that is here; makes the others by fetching, several at a
time.  What the server does not have is put on record, and is no error.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from apogee_labels.apogee.download.fetch_many import Fetched, FetchOutcome
from apogee_labels.pipeline.ingest.expected import expected_files
from apogee_labels.pipeline.ingest.fetch_missing import fetch_missing

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)


def fetch_night(workspace: Workspace, telescope: str, mjd: int, *, parallel: int = 4) -> dict[str, int]:
    """Fetch what a night should have and is not here.

    Returns
    -------
    dict
        How many files are expected, and how many of them came (``fetched``), were here, are not at the server, are bad.

    Raises
    ------
    OSError
        Some could not be fetched, after all others were tried; the next call finds those here.
    PermissionError
        The server refused some, and there was no other trouble; a person must act.
    apogee_labels.apogee.tables.visit_summary.VisitSummaryError
        The visit summary lacks a column.
    """
    expected = expected_files(workspace, telescope, mjd)
    if not expected.files and not expected.from_summary:
        log.info(
            "%s, MJD %d: there is no list of expected stars: set APOGEE_LABELS_VISIT_SUMMARY to SDSS's allVisit file, or to "
            "a CSV of its columns; until then only files that were here before are known",
            telescope, mjd,
        )  # fmt: skip
    missing = [*expected.missing.values()]
    log.info("%s, MJD %d: %d files are expected, %d are not here", telescope, mjd, len(expected.files), len(missing))
    return _counts(len(expected.files), len(missing), fetch_missing(workspace, missing, parallel=parallel))


def nothing_fetched() -> dict[str, int]:
    """Return the counts of a night for which nothing was asked."""
    return _counts(0, 0, [])


def _counts(n_expected: int, n_missing: int, files: list[Fetched]) -> dict[str, int]:
    found = Counter(file.outcome for file in files)
    return {
        "expected": n_expected,
        "fetched": found[FetchOutcome.FETCHED],
        "was_here": n_expected - n_missing + found[FetchOutcome.WAS_HERE],
        "not_at_remote": found[FetchOutcome.NOT_AT_REMOTE],
        "bad": found[FetchOutcome.BAD],
    }
