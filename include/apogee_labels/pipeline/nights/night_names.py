"""A night by all its names: SDSS MJD, local evening, Airflow's data interval, ids of runs; and read from any of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from apogee_labels.apogee.archive.nights import Observatory, date_of_mjd

HEADINGS = ("telescope", "MJD", "evening", "data interval start", "data interval end", "scheduled run", "backfill run")
FORMS = "59280, 59280-59286, 2021-03-06, 2021-03-06..2021-03-08, 2021-03-07T16:48Z or the id of a run"
MOST_NIGHTS = 20_000
"""Longer ranges are misprints: the survey is younger."""

_MJD = re.compile(r"\d{5}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MJDS = re.compile(r"(\d{5})-(\d{5})")
_NAMED_RUN = re.compile(r"(?:scheduled|manual)__.*_mjd(\d{5})(?:_.*)?")
_BACKFILL_RUN = re.compile(r"backfill__(.+)")


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


def parse_nights(site: Observatory, words: Iterable[str]) -> list[int]:
    """Return the SDSS MJDs at a site that `words` name, in order, each once.

    A word is an SDSS MJD, the local date of an evening, a moment in the night (Airflow's logical date is one; without a zone
    it is UTC), the id of a run, or a range of MJDs or dates with both ends included.

    Raises
    ------
    ValueError
        A word names no night; the message shows the forms.

    Examples
    --------
    >>> from apogee_labels.apogee.archive.nights import observatory
    >>> parse_nights(observatory("apo25m"), ["59280-59281", "2021-03-08", "backfill__2021-03-10T16:48:00+00:00"])
    [59280, 59281, 59282, 59283]
    """
    mjds: set[int] = set()
    for word in words:
        first, last = _parse_range(site, word)
        if last < first:
            raise ValueError(f"{word!r} ends before it begins: expected the earlier night first.")
        if last - first >= MOST_NIGHTS:
            raise ValueError(f"{word!r} is a range of {last - first + 1} nights: expected at most {MOST_NIGHTS}.")
        mjds.update(range(first, last + 1))
    return sorted(mjds)


def _parse_range(site: Observatory, word: str) -> tuple[int, int]:
    if both := _MJDS.fullmatch(word):
        return int(both[1]), int(both[2])
    first, is_range, last = word.partition("..")
    if is_range:
        return _parse_night(site, first, word), _parse_night(site, last, word)
    night = _parse_night(site, word, word)
    return night, night


def _parse_night(site: Observatory, name: str, word: str) -> int:
    try:
        mjd = next(read(site, name) for is_so, read in _READERS if is_so(name))
        date_of_mjd(mjd)
    except (StopIteration, ValueError, OverflowError):
        raise ValueError(f"{word!r} names no night: expected {FORMS}.") from None
    return mjd


def _of_backfill(site: Observatory, name: str) -> int:
    """Airflow names the runs of backfills after the end of their interval."""
    return _of_moment(site, name.removeprefix("backfill__")) - 1


def _of_moment(site: Observatory, name: str) -> int:
    moment = datetime.fromisoformat(name)
    return site.mjd(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


_READERS: tuple[tuple[Callable[[str], object], Callable[[Observatory, str], int]], ...] = (
    (_MJD.fullmatch, lambda _, name: int(name)),
    (_DATE.fullmatch, lambda site, name: site.mjd_of_local_date(date.fromisoformat(name))),
    (_NAMED_RUN.fullmatch, lambda _, name: int(_NAMED_RUN.sub(r"\1", name))),
    (_BACKFILL_RUN.fullmatch, _of_backfill),
    (lambda name: "T" in name or " " in name, _of_moment),
)
