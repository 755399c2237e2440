"""What is known of a content, in SQL: what became of every file of some nights, and which spectra lack a result.

Products are found by the parameters written beside them, not by digests: a thousand nights are one statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from apogee_labels.catalog.db.columns import Word, canonical_json
from apogee_labels.catalog.db.rows import Subject
from apogee_labels.catalog.db.schema import (
    archive_file,
    night_file,
    night_run,
    normalization,
    rejection,
    result,
    spectrum,
    visit,
)
from apogee_labels.catalog.queries.contents import ExpectedOf
from apogee_labels.catalog.queries.rejections import Rejections, still_holds
from apogee_labels.catalog.records import FileState, FileStatus, Night, Stage, subject_of_path
from apogee_labels.core.errors import Reason

SQLITE_CACHE = 256 * 1024
"""KiB of pages that SQLite may keep while it looks up a million files, instead of its own 2 MiB."""
MAY_BE_REJECTED = (FileStatus.FAILED, FileStatus.UNDER_WAY, FileStatus.WAITING)
"""What can still become REJECTED, by a rejection that is not of the content (:meth:`States._rejected_by_path`)."""


@dataclass(frozen=True, kw_only=True)
class MadeWith:
    """What products are made with now.

    Parameters
    ----------
    normalizations
        Parameters of normalised spectra, as they are written beside them; those made with one of these count.
    inference
        Parameters of results.
    model_id
        The model by which results count; None: there is none.
    reader_version
        The version of the reader whose rejections count.
    """

    normalizations: Sequence[Mapping[str, object]]
    inference: Mapping[str, object]
    model_id: str | None
    reader_version: str


@dataclass(frozen=True)
class NightRange:
    """The nights from `first` to `last` (SDSS MJDs, both included) at some telescopes."""

    telescopes: Sequence[str]
    first: int
    last: int


class FileNow(NamedTuple):
    """A file of a night: the content that its path holds, when that was found, what became of it, and why if rejected."""

    telescope: str
    mjd: int
    path: str
    digest: str | None
    scanned_at: datetime
    status: FileStatus
    reason: Reason | None = None
    message: str = ""


class Outdated(NamedTuple):
    """A normalised spectrum without the wanted result: its identity and its number of rows."""

    normalization_id: str
    n_rows: int


class States(Subject):
    """What became of the files of nights, and which results a model lacks."""

    def files(self, nights: NightRange, made: MadeWith, expected: ExpectedOf) -> list[FileNow]:
        """Return every file of `nights`, by night and path.

        Parameters
        ----------
        made
            What products are made with, spectra of one kind.
        expected
            ``expected(digest, model_id)``: the identities that the products of a content have with that.
        """
        by_path = {(file.mjd, file.path): file for file in self._rejected_by_path(nights, made, expected)}
        query = statuses(nights, made).order_by("telescope", "mjd", "path")
        with self._database.read() as connection:
            found = [FileNow(*row) for row in connection.execute(query)]
        rejected = {file.digest for file in found if file.status is FileStatus.REJECTED and file.digest}
        by_content = Rejections(self._database).find(rejected, made.reader_version)
        for place, file in enumerate(found):
            if why := by_content.get(file.digest or ""):
                file = file._replace(reason=why.reason, message=why.message)
            found[place] = by_path.get((file.mjd, file.path), file)
        return found

    def count(self, nights: NightRange, made: MadeWith, expected: ExpectedOf) -> dict[Night, Counter[FileStatus]]:
        """Return how many files of each night have each state, in two statements; nights without a file are left out.

        Parameters are those of :meth:`files`.
        """
        file = statuses(nights, made).subquery("now").c
        query = select(file.telescope, file.mjd, file.status, func.count()).group_by(
            file.telescope, file.mjd, file.status
        )
        counts: dict[Night, Counter[FileStatus]] = {}
        with self._database.read() as connection:
            widen_cache(connection)
            for telescope, mjd, status, number in connection.execute(query):
                counts.setdefault(Night(telescope, mjd), Counter())[status] = number
        for rejected, before in self._rejected_by_path(nights, made, expected).items():
            of_night = counts[Night(rejected.telescope, rejected.mjd)]
            of_night[before] -= 1
            of_night[FileStatus.REJECTED] += 1
        return {night: +of_night for night, of_night in counts.items()}

    def _rejected_by_path(self, nights: NightRange, made: MadeWith, expected: ExpectedOf) -> dict[FileNow, FileStatus]:
        """Return what is rejected although its content as such is not, and what it was taken for.

        A rejection can be about one normalisation of a content, or about a path at which nothing was found since.  Those
        subjects are digests that SQL cannot compute: they are compared here, for the few files with a rejection.
        """
        file = statuses(nights, made).subquery("now").c
        query = (
            select(*file, rejection.c.subject, rejection.c.reason, rejection.c.message, rejection.c.created)
            .join_from(rejection, file.path.table, file.path == rejection.c.path)
            .where(still_holds(made.reader_version), file.status.in_(MAY_BE_REJECTED))
            .order_by(rejection.c.created)
        )
        found: dict[tuple[int, str], tuple[FileNow, FileStatus]] = {}
        with self._database.read() as connection:
            for *values, subject, reason, message, created in connection.execute(query):
                each = FileNow(*values)
                if subject == subject_of_path(each.path):
                    holds = each.digest is None or created >= each.scanned_at
                else:
                    holds = each.digest is not None and subject == expected(each.digest, None).normalization_id
                if holds:
                    rejected = each._replace(status=FileStatus.REJECTED, reason=reason, message=message)
                    found[each.mjd, each.path] = rejected, each.status
        return dict(found.values())

    def count_outdated(self, made: MadeWith, left_since: datetime, *, before: datetime | None = None) -> int:
        """Return how many spectra lack their result, of those that were normalised before a moment (default: of all).

        Counted are spectra of contents that the archive's paths hold now.  One of which the product is lost, and whose
        content was not found when it was to be made anew, was rejected, and is not counted until it is scanned again.
        What a night's run with the same model has listed as due after `left_since`, and not published yet, is left to it.
        """
        query = _outdated(made, left_since)
        if before is not None:
            query = query.where(normalization.c.created < before)
        with self._database.read() as connection:
            widen_cache(connection)
            counted: int = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        return counted

    def outdated(self, made: MadeWith, left_since: datetime, first: str = "", end: str | None = None) -> list[Outdated]:
        """Return the spectra that :meth:`count_outdated` counts, by identity.

        Parameters
        ----------
        first, end
            Only identities from `first` on, and before `end`: the beginnings of identities will do.
        """
        query = _outdated(made, left_since).where(normalization.c.id >= first).order_by(normalization.c.id)
        if end is not None:
            query = query.where(normalization.c.id < end)
        with self._database.read() as connection:
            return [Outdated(*row) for row in connection.execute(query)]

    def newest_results(
        self, model_id: str, normalizations: Sequence[Mapping[str, object]]
    ) -> list[dict[Night, datetime]]:
        """Return when the newest result by a model was made of a content with a visit in each night.

        They are told apart by the parameters of the normalisation, in the order of `normalizations`.
        """
        parameters = cast(normalization.c.parameters, Text)
        query = (
            select(parameters, spectrum.c.telescope, visit.c.mjd, func.max(result.c.created))
            .select_from(result)
            .join(normalization, normalization.c.id == result.c.normalization_id)
            .join(spectrum, spectrum.c.digest == normalization.c.digest)
            .join(visit, visit.c.digest == spectrum.c.digest)
            .where(result.c.model_id == model_id, has_parameters(normalization.c.parameters, *normalizations))
            .where(spectrum.c.telescope.is_not(None))
            .group_by(parameters, spectrum.c.telescope, visit.c.mjd)
        )
        newest: dict[str, dict[Night, datetime]] = {canonical_json(each): {} for each in normalizations}
        with self._database.read() as connection:
            widen_cache(connection)
            for text, telescope, mjd, created in connection.execute(query):
                newest[text][Night(telescope, mjd)] = created
        return list(newest.values())


def statuses(nights: NightRange, made: MadeWith) -> Select[Any]:
    """Return a row for each file of each night: ``telescope, mjd, path, digest, scanned_at, status``.

    A file belongs to the nights of the visits in its content; one that cannot be read, to the nights whose runs listed
    it.
    """
    files = union_all(_of_visits(nights), _never_read(nights)).subquery("file")
    file = files.c
    is_normalized = has_parameters(normalization.c.parameters, *made.normalizations)
    status = type_coerce(_status(file, made), Word(FileStatus)).label("status")
    return (
        select(file.telescope, file.mjd, file.path, file.digest, file.scanned_at, status)
        .select_from(files)
        # At most one of each: their identity is made of what is asked for here.
        .outerjoin(normalization, (normalization.c.digest == file.digest) & is_normalized)
        .outerjoin(result, _is_result(made))
    )


def has_parameters(parameters: Column[Any], *wanted: Mapping[str, object]) -> ColumnElement[bool]:
    """Whether a column of parameters holds these, or one of these: then the identity is the one that they make."""
    return cast(parameters, Text).in_([canonical_json(each) for each in wanted])


class not_looked_up(FunctionElement[Any]):  # noqa: N801 - it is used as a function
    """A column's value.  SQLite, which has no statistics, would start from an index in which a million rows are equal."""

    inherit_cache = True


@compiles(not_looked_up)
def _as_column(element: not_looked_up, compiler: SQLCompiler, **options: Any) -> str:
    (column,) = element.clauses
    return str(compiler.process(column, **options))


@compiles(not_looked_up, "sqlite")
def _as_expression(element: not_looked_up, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{_as_column(element, compiler, **options)}"


_FILE = (archive_file.c.path, archive_file.c.digest, archive_file.c.state, archive_file.c.scanned_at)


def _of_visits(nights: NightRange) -> Select[Any]:
    earlier = visit.alias("earlier")
    # Of a star that was observed twice in a night; a first visit needs no second look.
    is_second = (visit.c.number > 1) & exists().where(
        earlier.c.digest == visit.c.digest, earlier.c.mjd == visit.c.mjd, earlier.c.number < visit.c.number
    )
    return (
        select(archive_file.c.telescope, visit.c.mjd, *_FILE)
        .join(visit, visit.c.digest == archive_file.c.digest)
        .where(visit.c.mjd.between(nights.first, nights.last), ~is_second)
        .where(not_looked_up(archive_file.c.telescope).in_(nights.telescopes))
    )


def _never_read(nights: NightRange) -> Select[Any]:
    """Also of a file that was good when it was listed, and damaged when the run opened it: its night is remembered."""
    was_read = exists().where(spectrum.c.digest == archive_file.c.digest)
    return (
        select(night_file.c.telescope, night_file.c.mjd, *_FILE)
        .join(archive_file, archive_file.c.path == night_file.c.path)
        .where(night_file.c.mjd.between(nights.first, nights.last), night_file.c.telescope.in_(nights.telescopes))
        .where(or_(archive_file.c.digest.is_(None), ~was_read))
        .distinct()
    )


def _status(file: Any, made: MadeWith) -> ColumnElement[Any]:
    """Return the state.  Its questions are asked in this order, the costly ones only of files that are still undecided."""
    is_rejected = exists().where(rejection.c.subject == file.digest, still_holds(made.reader_version))
    return case(
        (file.state == FileState.GONE, FileStatus.GONE.value),
        (file.state == FileState.WRITING, FileStatus.WRITING.value),
        (result.c.id.is_not(None), FileStatus.DONE.value),
        (is_rejected, FileStatus.REJECTED.value),
        (literal(made.model_id is None) & normalization.c.id.is_not(None), FileStatus.NORMALIZED.value),
        else_=_by_last_listing(file, made),
    )


def _is_result(made: MadeWith) -> ColumnElement[bool]:
    """Whether a result is the wanted one of a normalised spectrum."""
    return and_(
        result.c.normalization_id == normalization.c.id,
        not_looked_up(result.c.model_id) == made.model_id,
        has_parameters(result.c.parameters, made.inference),
    )


def _by_last_listing(file: Any, made: MadeWith) -> ColumnElement[Any]:
    """Return what the last run that took this very content tells of it."""
    same_content = or_(night_file.c.digest == file.digest, night_file.c.digest.is_(None) & file.digest.is_(None))
    by_other_model = night_run.c.model_id.is_distinct_from(made.model_id) & normalization.c.id.is_not(None)
    told = (
        select(
            case(
                (night_run.c.published_at.is_(None), FileStatus.UNDER_WAY.value),
                (by_other_model, FileStatus.OUTDATED.value),
                else_=FileStatus.FAILED.value,
            )
        )
        .select_from(night_file)
        .join(night_run, _same_run)
        # What was rejected then and is not now is due again: the reader was mended.
        .where(night_file.c.path == file.path, same_content, night_file.c.state != FileStatus.REJECTED)
        .order_by(night_run.c.listed_at.desc())
        .limit(1)
        .correlate_except(night_file, night_run)
        .scalar_subquery()
    )
    return func.coalesce(told, FileStatus.WAITING.value)


_same_run = and_(
    night_run.c.telescope == night_file.c.telescope,
    night_run.c.mjd == night_file.c.mjd,
    night_run.c.run_id == night_file.c.run_id,
)


def _outdated(made: MadeWith, left_since: datetime) -> Select[Any]:
    """Return the normalised spectra of contents that are there, without their result."""
    return select(normalization.c.id, normalization.c.n_rows).where(
        has_parameters(normalization.c.parameters, *made.normalizations),
        ~exists().where(_is_result(made)),
        _is_there(made),
        ~_is_in_hand(made, left_since),
    )


def _is_there(made: MadeWith) -> ColumnElement[bool]:
    """Whether a path of the archive holds the content, as far as is known."""
    indexed = archive_file.alias("indexed")
    # Few, so that a database looks for them once; what was found at a path since its last scan holds until the next.
    lost = (
        select(indexed.c.path)
        .join(rejection, rejection.c.path == indexed.c.path)
        .where(rejection.c.stage == Stage.INFER, rejection.c.reader_version == made.reader_version)
        .where(rejection.c.created >= indexed.c.scanned_at)
    )
    return exists().where(
        archive_file.c.digest == normalization.c.digest,
        not_looked_up(archive_file.c.state) == FileState.PRESENT.value,
        archive_file.c.path.not_in(lost),
    )


def _is_in_hand(made: MadeWith, left_since: datetime) -> ColumnElement[bool]:
    """Whether a run over a night is about to make the result."""
    return exists().where(
        night_file.c.digest == normalization.c.digest,
        night_file.c.state == FileStatus.DUE,
        _same_run,
        night_run.c.model_id == made.model_id,
        night_run.c.published_at.is_(None),
        night_run.c.listed_at > left_since,
    )


def widen_cache(connection: Connection) -> None:
    """Let SQLite keep more pages, for as long as this connection lives: one transaction."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{SQLITE_CACHE}")
