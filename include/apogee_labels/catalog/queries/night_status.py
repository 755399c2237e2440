"""What became of the files of nights, as the catalogue holds it now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, desc, func, select

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.part import Part, as_fields, columns_for
from apogee_labels.catalog.queries.file_status import MAY_BE_REJECTED, FileStatus, MadeWith, NightRange, statuses
from apogee_labels.catalog.records import ListedState
from apogee_labels.core.errors import Reason

RUN = schema.night_run
LISTED = schema.night_file
SQLITE_CACHE = 256 * 1024
"""KiB of pages that SQLite may keep while it looks up a million files, instead of its own 2 MiB."""
REJECTION = schema.rejection


class Night(NamedTuple):
    """A night at a telescope, by its SDSS MJD."""

    telescope: str
    mjd: int


class FileNow(NamedTuple):
    """A file of a night: the content that its path holds, when that was found, and what became of it."""

    telescope: str
    mjd: int
    path: str
    digest: str | None
    scanned_at: datetime
    status: FileStatus


class RejectionByPath(NamedTuple):
    """A file that is undecided by its content, and a rejection of something else that was found at its path."""

    file: FileNow
    subject: str
    reason: Reason
    message: str
    created: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOfNight:
    """A run over a night: by which model, when it listed its files and when it published (None: not yet), its summary."""

    telescope: str
    mjd: int
    run_id: str
    model_id: str | None
    listed_at: datetime
    published_at: datetime | None
    summary: Mapping[str, object] | None


class NightStatuses(Part):
    """The catalogue's methods about what became of the files of nights."""

    def files_now(self, nights: NightRange, made: MadeWith) -> list[FileNow]:
        """Return every file of `nights`, by night and path."""
        query = statuses(nights, made).order_by("telescope", "mjd", "path")
        with self._database.read() as connection:
            return [FileNow(*row) for row in connection.execute(query)]

    def count_files(self, nights: NightRange, made: MadeWith) -> dict[Night, Counter[FileStatus]]:
        """Return how many files of each night have each state, in one statement; nights without a file are left out."""
        file = statuses(nights, made).subquery("now").c
        query = select(file.telescope, file.mjd, file.status, func.count()).group_by(
            file.telescope, file.mjd, file.status
        )
        counts: dict[Night, Counter[FileStatus]] = {}
        with self._database.read() as connection:
            widen_cache(connection)
            for telescope, mjd, status, number in connection.execute(query):
                counts.setdefault(Night(telescope, mjd), Counter())[status] = number
        return counts

    def rejections_by_path(self, nights: NightRange, made: MadeWith) -> list[RejectionByPath]:
        """Return what may be rejected although its content is not, the newest rejection last.

        A rejection can be about one normalisation of a content, or about a path that had none.  Those subjects are digests
        that SQL cannot compute: the caller compares them, for the few files that this returns.
        """
        file = statuses(nights, made).subquery("now").c
        query = (
            select(*file, REJECTION.c.subject, REJECTION.c.reason, REJECTION.c.message, REJECTION.c.created)
            .join_from(REJECTION, file.path.table, file.path == REJECTION.c.path)
            .where(REJECTION.c.reader_version == made.reader_version, file.status.in_(MAY_BE_REJECTED))
            .order_by(REJECTION.c.created)
        )
        with self._database.read() as connection:
            width = len(FileNow._fields)
            return [RejectionByPath(FileNow(*row[:width]), *row[width:]) for row in connection.execute(query)]

    def runs_of_nights(self, nights: NightRange) -> list[RunOfNight]:
        """Return the runs over `nights`, those that listed their files last at the end."""
        query = (
            select(*columns_for(RunOfNight, RUN))
            .where(RUN.c.mjd.between(nights.first, nights.last), RUN.c.telescope.in_(nights.telescopes))
            .order_by(RUN.c.listed_at, RUN.c.run_id)
        )
        with self._database.read() as connection:
            return [RunOfNight(**as_fields(row)) for row in connection.execute(query)]

    def count_listed(self, night: Night) -> dict[str, Counter[ListedState]]:
        """Return how many files each run of a night listed, by what it found about them."""
        query = (
            select(LISTED.c.run_id, LISTED.c.state, func.count())
            .where(LISTED.c.telescope == night.telescope, LISTED.c.mjd == night.mjd)
            .group_by(LISTED.c.run_id, LISTED.c.state)
        )
        counts: dict[str, Counter[ListedState]] = {}
        with self._database.read() as connection:
            for run_id, state, number in connection.execute(query):
                counts.setdefault(run_id, Counter())[state] = number
        return counts

    def night_of_run(self, telescope: str, run_id: str) -> Night | None:
        """Return the night whose files a run listed, if it listed anything yet."""
        query = select(RUN.c.telescope, RUN.c.mjd).where(RUN.c.telescope == telescope, RUN.c.run_id == run_id)
        with self._database.read() as connection:
            found = connection.execute(query).first()
        return None if found is None else Night(*found)

    def recent_nights(self, telescopes: Iterable[str], number: int, last: int) -> list[int]:
        """Return the newest `number` MJDs up to `last` for which there is a file or a run, the newest first."""
        seen = select(schema.visit.c.mjd).where(schema.visit.c.mjd <= last)
        run = select(RUN.c.mjd).where(RUN.c.mjd <= last, RUN.c.telescope.in_(list(telescopes)))
        with self._database.read() as connection:
            found: set[int] = set()
            for query in (seen, run):
                found.update(connection.scalars(query.distinct().order_by(desc("mjd")).limit(number)))
        return sorted(found, reverse=True)[:number]


def widen_cache(connection: Connection) -> None:
    """Let SQLite keep more pages, for as long as this connection lives: one transaction."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{SQLITE_CACHE}")
