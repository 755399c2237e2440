"""Nights as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apogee_labels.pipeline.nights.night_status import FileReport, NightRow, NightStatus


def table_lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table whose columns are as wide as they must be."""
    table = [headings, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def lines_of_night(status: NightStatus, *, every_file: bool = False) -> Iterator[str]:
    """Yield the verdict, the counts, the files (without the done ones, unless `every_file`) and the runs of a night."""
    from apogee_labels.apogee.archive.nights import observatory
    from apogee_labels.catalog.records import NIGHT_STATUSES, FileStatus
    from apogee_labels.core.identity import short

    site = observatory(status.night.telescope)
    evening = f"evening of {site.local_date(status.night.mjd)} ({site.timezone})"
    model = f"model in force {short(status.model_id)}" if status.model_id else "no model in force"
    yield f"{status.night.telescope}, SDSS MJD {status.night.mjd}, {evening}; {model}"
    yield status.verdict.sentence
    yield from (f"! This night stands out: {sentence}" for sentence in status.stands_out)
    for kind in NIGHT_STATUSES:
        if number := status.counts[kind]:
            yield f"* {number} {kind.value.replace('_', ' ')}"
    yield from _files(file for file in status.files if every_file or file.status is not FileStatus.DONE)
    yield "Runs:" if status.runs else "No run has listed the night's files."
    for run in status.runs:
        listed = ", ".join(
            f"{number} {state.value}" for state, number in sorted(status.listed.get(run.run_id, {}).items())
        )
        end = f"published {run.published_at:%Y-%m-%d %H:%M:%S}" if run.published_at else "has not published"
        yield f"  {run.run_id}: listed {run.listed_at:%Y-%m-%d %H:%M:%S} UTC ({listed or 'no files'}), {end}"


def lines_of_nights(rows: Iterable[NightRow]) -> Iterator[str]:
    """Yield a table, a row a night."""
    headings = ("telescope", "MJD", "evening", "files", "done", "rejected", "verdict")
    yield from table_lines(
        headings,
        [
            (
                row.night.telescope, str(row.night.mjd), str(row.evening), str(row.n_files), *_done_and_rejected(row),
                _sentence(row),
            )
            for row in rows
        ],
    )  # fmt: skip


def _sentence(row: NightRow) -> str:
    return f"{row.verdict.sentence} Stands out: ask about this night alone." if row.stands_out else row.verdict.sentence


def _done_and_rejected(row: NightRow) -> tuple[str, str]:
    from apogee_labels.catalog.records import FileStatus

    return str(row.counts[FileStatus.DONE]), str(row.counts[FileStatus.REJECTED])


def _files(files: Iterable[FileReport]) -> Iterator[str]:
    for file in files:
        reason = f"{file.reason}: " if file.reason else ""
        yield f"    - {Path(file.path).name}: {file.status.value.replace('_', ' ')}: {reason}{file.message}"
