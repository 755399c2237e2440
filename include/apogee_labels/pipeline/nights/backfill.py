"""The ``airflow backfill create`` lines that make the runs of exactly the nights asked for.

The command selects runs whose logical date, the start of their interval, is from ``--from-date`` to ``--to-date``, both
included.  A date without a time is a midnight in Airflow's default time zone: an evening's night begins after it, and would
need the next day.  The lines here name the very moments instead.  Nights that are not over Airflow leaves out, silently.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from apogee_labels.apogee.archive.nights import Observatory


def stretches(mjds: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each run of nights without a gap.

    >>> list(stretches([59280, 59281, 59285]))
    [(59280, 59281), (59285, 59285)]
    """
    first = last = None
    for mjd in sorted(set(mjds)):
        if first is None or last is None or mjd != last + 1:
            if first is not None and last is not None:
                yield first, last
            first = mjd
        last = mjd
    if first is not None and last is not None:
        yield first, last


def finished(site: Observatory, mjds: Iterable[int], now: datetime) -> tuple[list[int], list[int]]:
    """Return the nights that are over and those that are not: a backfill has no runs for these."""
    over: list[int] = []
    not_over: list[int] = []
    for mjd in mjds:
        (over if site.interval(mjd)[1] < now else not_over).append(mjd)
    return over, not_over


def backfill_lines(
    site: Observatory, mjds: Iterable[int], *, options: Sequence[str] = (), airflow: Sequence[str] = ("airflow",)
) -> list[str]:
    """Return a command line for each stretch of nights, with more `options` of ``airflow backfill create``."""
    return [
        shlex.join([
            *airflow, "backfill", "create", "--dag-id", f"apogee_nightly_{site.telescope}",
            "--from-date", site.interval(first)[0].isoformat(), "--to-date", site.interval(last)[0].isoformat(), *options,
        ])
        for first, last in stretches(mjds)
    ]  # fmt: skip
