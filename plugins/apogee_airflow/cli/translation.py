"""One night by all of its names: SDSS MJD, local evening, Airflow's data interval and the ids of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from apogee_labels.apogee.archive.nights import Observatory

HEADINGS = ("telescope", "MJD", "evening", "data interval start", "data interval end", "scheduled run", "backfill run")


@dataclass(frozen=True)
class NightNames:
    """A night and what it is called; the logical date of its runs is the start of its data interval."""

    site: Observatory
    mjd: int

    @property
    def evening(self) -> str:
        """The local date on which it begins, with the time zone."""
        return f"{self.site.local_date(self.mjd)} {self.site.timezone}"

    @property
    def interval(self) -> tuple[str, str]:
        """Its data interval, UTC, as Airflow writes it."""
        start, end = self.site.interval(self.mjd)
        return start.isoformat(), end.isoformat()

    @property
    def scheduled_run(self) -> str:
        """The id of the scheduler's run, as ``ObservingNightTimetable`` gives it."""
        return f"scheduled__{self.site.local_date(self.mjd)}_mjd{self.mjd}"

    @property
    def backfill_run(self) -> str:
        """The id of a backfill's run, which Airflow gives."""
        return f"backfill__{self.interval[1]}"

    def row(self) -> tuple[str, ...]:
        """Return them in the order of :data:`HEADINGS`."""
        return (
            self.site.telescope, str(self.mjd), self.evening, *self.interval, self.scheduled_run, self.backfill_run,
        )  # fmt: skip


def as_text(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table whose columns are as wide as they must be."""
    table = [headings, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
