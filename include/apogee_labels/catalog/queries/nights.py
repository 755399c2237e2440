"""What a run over a night set out to do, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, desc, func, insert, select, update

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import CatalogError, upsert
from apogee_labels.catalog.db.rows import Subject, as_fields, columns_for, row_of
from apogee_labels.catalog.queries.archive import Archive
from apogee_labels.catalog.queries.contents import Contents, ExpectedOf, KnownContent
from apogee_labels.catalog.queries.states import NightRange
from apogee_labels.catalog.records import (
    ArchiveFile,
    FileStatus,
    Listing,
    Night,
    NightFile,
    NightFileOutcome,
    NightOutcome,
    RejectionRecord,
    RunOfNight,
    subject_of_path,
    utc_now,
)

RUN = schema.night_run
FILE = schema.night_file
RUNS_A_NIGHT = 4
"""So many runs of a night are read for each night that is asked for: runs that are repeated more often hide older nights."""


class Nights(Subject):
    """The runs over each night."""

    def record_listing(
        self,
        telescope: str,
        mjd: int,
        run_id: str,
        model_id: str | None,
        files: Iterable[NightFile],
        *,
        listed_at: datetime | None = None,
    ) -> None:
        """Record what a run sets out to do, and the model it is pinned to; what it had listed before is replaced."""
        key = {"telescope": telescope, "mjd": mjd, "run_id": run_id}
        run = key | {"model_id": model_id, "listed_at": listed_at or utc_now(), "published_at": None, "summary": None}
        with self._database.write() as connection:
            upsert(connection, RUN, [run])
            connection.execute(delete(FILE).where(*_is_run(FILE, telescope, mjd, run_id)))
            rows = [row_of(file, FILE, **key) for file in files]
            if rows:
                connection.execute(insert(FILE), rows)

    def listing(self, telescope: str, mjd: int, run_id: str) -> Listing | None:
        """Return what that run set out to do, its files by path, if it listed anything yet."""
        with self._database.read() as connection:
            run = connection.execute(select(RUN).where(*_is_run(RUN, telescope, mjd, run_id))).first()
            if run is None:
                return None
            query = select(*columns_for(NightFile, FILE)).where(*_is_run(FILE, telescope, mjd, run_id))
            files = tuple(NightFile(**as_fields(row)) for row in connection.execute(query.order_by(FILE.c.path)))
        return Listing(**as_fields(run), files=files)

    def listed(self, telescope: str, mjds: Collection[int]) -> set[int]:
        """Return those of `mjds` that some run has listed."""
        query = select(RUN.c.mjd).where(RUN.c.telescope == telescope, RUN.c.mjd.in_(mjds)).distinct()
        with self._database.read() as connection:
            return set(connection.scalars(query))

    def paths_under_way(self, telescope: str, run_id: str, since: datetime) -> set[str]:
        """Return the paths that other runs have listed as due after `since`, and not published yet."""
        of_run = [FILE.c[name] == RUN.c[name] for name in ("telescope", "mjd", "run_id")]
        query = (
            select(FILE.c.path)
            .join(RUN, and_(*of_run))
            .where(RUN.c.telescope == telescope, RUN.c.run_id != run_id)
            .where(RUN.c.published_at.is_(None), RUN.c.listed_at > since, FILE.c.state == FileStatus.DUE)
        )
        with self._database.read() as connection:
            return set(connection.scalars(query))

    def record_publication(
        self,
        telescope: str,
        mjd: int,
        run_id: str,
        summary: Mapping[str, object],
        *,
        published_at: datetime | None = None,
    ) -> None:
        """Record that a run has published its night, with its summary.

        Raises
        ------
        CatalogError
            The run never listed its files.
        """
        values = {"summary": dict(summary), "published_at": published_at or utc_now()}
        with self._database.write() as connection:
            changed = connection.execute(update(RUN).where(*_is_run(RUN, telescope, mjd, run_id)).values(values))
            if changed.rowcount == 0:
                raise CatalogError(_no_listing(telescope, mjd, run_id))

    def publications(self) -> list[Mapping[str, object]]:
        """The summaries of the runs that published their night: the last run of each night, by MJD and telescope."""
        query = select(RUN.c.summary).where(RUN.c.published_at.is_not(None)).order_by(RUN.c.published_at)
        with self._database.read() as connection:
            summaries = [row.summary for row in connection.execute(query)]
        last = {(summary["mjd"], summary["telescope"]): summary for summary in summaries}
        return [last[night] for night in sorted(last)]

    def runs(self, nights: NightRange) -> list[RunOfNight]:
        """Return the runs over `nights`, those that listed their files last at the end."""
        query = (
            select(*columns_for(RunOfNight, RUN))
            .where(RUN.c.mjd.between(nights.first, nights.last), RUN.c.telescope.in_(nights.telescopes))
            .order_by(RUN.c.listed_at, RUN.c.run_id)
        )
        with self._database.read() as connection:
            return [RunOfNight(**as_fields(row)) for row in connection.execute(query)]

    def count_listed(self, night: Night) -> dict[str, Counter[FileStatus]]:
        """Return how many files each run of a night listed, by what it found about them."""
        query = (
            select(FILE.c.run_id, FILE.c.state, func.count())
            .where(FILE.c.telescope == night.telescope, FILE.c.mjd == night.mjd)
            .group_by(FILE.c.run_id, FILE.c.state)
        )
        counts: dict[str, Counter[FileStatus]] = {}
        with self._database.read() as connection:
            for run_id, state, number in connection.execute(query):
                counts.setdefault(run_id, Counter())[state] = number
        return counts

    def of_run(self, telescope: str, run_id: str) -> Night | None:
        """Return the night whose files a run listed, if it listed anything yet."""
        query = select(RUN.c.telescope, RUN.c.mjd).where(RUN.c.telescope == telescope, RUN.c.run_id == run_id)
        with self._database.read() as connection:
            found = connection.execute(query).first()
        return None if found is None else Night(*found)

    def recent(self, telescopes: Iterable[str], number: int, last: int) -> list[int]:
        """Return the newest `number` MJDs up to `last` for which there is a file or a run, the newest first."""
        seen = select(schema.visit.c.mjd).where(schema.visit.c.mjd <= last)
        run = select(RUN.c.mjd).where(RUN.c.mjd <= last, RUN.c.telescope.in_(list(telescopes)))
        with self._database.read() as connection:
            found: set[int] = set()
            for query in (seen, run):
                found.update(connection.scalars(query.distinct().order_by(desc("mjd")).limit(number)))
        return sorted(found, reverse=True)[:number]

    def summaries_before(
        self, telescope: str, mjd: int, model_id: str, number: int
    ) -> list[tuple[int, Mapping[str, Any]]]:
        """Return the MJDs and summaries of the last `number` nights before one that runs of a model have published.

        Newest first; of several runs of a night the one that published last comes first, and all of them are there.
        """
        query = (
            select(RUN.c.mjd, RUN.c.summary)
            .where(RUN.c.telescope == telescope, RUN.c.mjd < mjd, RUN.c.model_id == model_id)
            .where(RUN.c.published_at.is_not(None))
            .order_by(RUN.c.mjd.desc(), RUN.c.published_at.desc())
            .limit(RUNS_A_NIGHT * number)
        )
        with self._database.read() as connection:
            return [(found.mjd, found.summary or {}) for found in connection.execute(query)]

    def outcome(
        self, telescope: str, mjd: int, run_id: str, *, expected: ExpectedOf, reader_version: str
    ) -> NightOutcome:
        """Return what became of each file that a run listed, decided from the catalogue alone.

        Parameters
        ----------
        expected
            ``expected(digest, model_id)``: the identities that the products of a content have in this run; `model_id`
            is the run's pinned model, ``None`` when none was in force.
        reader_version
            The version of the reader whose rejections count.

        Raises
        ------
        CatalogError
            The run never listed its files.
        """
        listing = self.listing(telescope, mjd, run_id)
        if listing is None:
            raise CatalogError(_no_listing(telescope, mjd, run_id))
        indexed = Archive(self._database).indexed(file.path for file in listing.files)
        contents = {file: _contents_of(file, indexed.get(file.path)) for file in listing.files}
        subjects = {digest for found in contents.values() for digest in found}
        subjects |= {subject_of_path(file.path) for file in listing.files}
        known = Contents(self._database).known(subjects, expected, listing.model_id, reader_version)
        files = tuple(_outcome(file, contents[file], known, listing) for file in listing.files)
        return NightOutcome(telescope=telescope, mjd=mjd, run_id=run_id, model_id=listing.model_id, files=files)


def _contents_of(file: NightFile, indexed: ArchiveFile | None) -> tuple[str, ...]:
    """Return the contents that answer for a file: a file can be rewritten between its listing and its analysis.

    Both, the one now indexed at the path and the one that was listed, the newer first: an outcome of either means that the
    run did its work.
    """
    found = (indexed.digest if indexed else None, file.digest)
    return tuple(dict.fromkeys(digest for digest in found if digest is not None))


def _outcome(
    file: NightFile, contents: tuple[str, ...], known: Mapping[str, KnownContent], listing: Listing
) -> NightFileOutcome:
    digest: str | None
    for digest in contents:
        if known[digest].status is FileStatus.DONE:
            was_there = file.state is FileStatus.COMPLETE and digest == file.digest
            status = FileStatus.COMPLETE if was_there else FileStatus.DONE
            result_id = known[digest].expected.result_id
            return NightFileOutcome(path=file.path, digest=digest, outcome=status, result_id=result_id)
    why: list[tuple[str | None, RejectionRecord | None]] = [(digest, known[digest].rejection) for digest in contents]
    of_path = known[subject_of_path(file.path)].rejection
    # One of the path itself counts unless it is from before a listing that found a content there.
    if of_path and (file.digest is None or of_path.created >= listing.listed_at):
        why.append((None, of_path))
    for digest, rejection in why:
        if rejection:
            return NightFileOutcome(
                path=file.path, digest=digest, outcome=FileStatus.REJECTED,
                reason=rejection.reason, message=rejection.message,
            )  # fmt: skip
    is_normalized = any(known[digest].status is FileStatus.NORMALIZED for digest in contents)
    status = FileStatus.NORMALIZED if listing.model_id is None and is_normalized else FileStatus.FAILED
    return NightFileOutcome(path=file.path, digest=next(iter(contents), None), outcome=status)


def _is_run(table: Table, telescope: str, mjd: int, run_id: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.telescope == telescope, table.c.mjd == mjd, table.c.run_id == run_id


def _no_listing(telescope: str, mjd: int, run_id: str) -> str:
    return f"run {run_id!r} of {telescope} {mjd} has no listing: record_listing comes first."
