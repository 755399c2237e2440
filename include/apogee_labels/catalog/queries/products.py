"""What was made from the files, and what could not be: normalisations, results, rejections, and work done twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, func, insert, select, update

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import insert_each_once, insert_once, upsert
from apogee_labels.catalog.db.part import Part, as_fields, chunks, columns_for, row_of
from apogee_labels.catalog.records import (
    ArchiveFile,
    FileState,
    LabelValue,
    NormalizationRecord,
    NormalizedFile,
    RejectionRecord,
    ResultRecord,
    ResultRow,
    WorkKind,
)

RESULT = schema.result
ROW = schema.result_row
LABEL = schema.label
REJECTION = schema.rejection
SPECTRUM = schema.spectrum


class Products(Part):
    """The catalogue's methods about what was made from a file."""

    def record_normalization(self, normalization: NormalizationRecord) -> bool:
        """Record a normalised spectrum: whether it is new.  One that is there is counted as work done twice."""
        with self._database.write() as connection:
            return self._record_product(connection, WorkKind.NORMALIZATION, schema.normalization, normalization)

    def record_normalized_files(self, files: Sequence[NormalizedFile]) -> None:
        """Record files that were read and normalised, their paths and contents included, in one transaction.

        What holds for each of them is what :meth:`record_normalization`, ``record_spectrum`` and ``index_files`` say.
        """
        spectra = {each.spectrum.digest: each.spectrum for each in files if each.spectrum}
        entries = {each.file.path: each.file for each in files if each.file}
        with self._database.write() as connection:
            new = insert_each_once(connection, SPECTRUM, [row_of(item, SPECTRUM) for item in spectra.values()])
            visits = [
                row_of(visit, schema.visit, digest=digest) for digest in sorted(new) for visit in spectra[digest].visits
            ]
            if visits:
                connection.execute(insert(schema.visit), visits)
            upsert(connection, schema.archive_file, [row_of(file, schema.archive_file) for file in entries.values()])
            products = [each.normalization for each in files]
            self._record_products(connection, WorkKind.NORMALIZATION, schema.normalization, products)

    def normalization(self, identity: str) -> NormalizationRecord | None:
        """Return the normalised spectrum with that identity, if it was made."""
        return self.normalizations([identity]).get(identity)

    def normalizations(self, identities: Iterable[str]) -> dict[str, NormalizationRecord]:
        """Return the normalised spectra that were made, by their identity; others are left out."""
        return self._find(NormalizationRecord, schema.normalization, identities)

    def paths_of(self, digest: str) -> list[str]:
        """Return the paths that hold a content, or held it when last seen; those that are there come first.

        Where it was first read is among them: that path may hold another one now.
        """
        holders = self.files_with([digest]).get(digest, [])
        first = select(SPECTRUM.c.path).where(SPECTRUM.c.digest == digest)
        with self._database.read() as connection:
            return list(dict.fromkeys([*(holder.path for holder in holders), *connection.scalars(first)]))

    def files_with(self, digests: Iterable[str]) -> dict[str, list[ArchiveFile]]:
        """Return the files that hold each content, or held it when last seen; those that are there come first."""
        file = schema.archive_file
        found: dict[str, list[ArchiveFile]] = {}
        there_first = case((file.c.state == FileState.PRESENT, 0), else_=1), file.c.path
        with self._database.read() as connection:
            for chunk in chunks(set(digests)):
                for row in connection.execute(select(file).where(file.c.digest.in_(chunk)).order_by(*there_first)):
                    found.setdefault(row.digest, []).append(ArchiveFile(**as_fields(row)))
        return found

    def record_result(self, result: ResultRecord) -> bool:
        """Record a result, its rows and labels: whether it is new.  One that is there is counted as work done twice."""
        return bool(self.record_results([result]))

    def record_results(self, results: Sequence[ResultRecord]) -> set[str]:
        """Record results as :meth:`record_result` does, in one transaction: the identities of those that are new."""
        with self._database.write() as connection:
            new = self._record_products(connection, WorkKind.RESULT, RESULT, results)
            _insert_rows(connection, list({each.id: each for each in results if each.id in new}.values()))
            return new

    def result(self, identity: str) -> ResultRecord | None:
        """Return the result with that identity, if it was made; its labels are in the order of the model's."""
        with self._database.read() as connection:
            found = connection.execute(select(RESULT).where(RESULT.c.id == identity)).first()
            if found is None:
                return None
            return ResultRecord(**as_fields(found), rows=_result_rows(connection, identity, found.model_id))

    def results(self, identities: Iterable[str]) -> set[str]:
        """Those of `identities` that were made."""
        found: set[str] = set()
        with self._database.read() as connection:
            for chunk in chunks(set(identities)):
                found.update(connection.scalars(select(RESULT.c.id).where(RESULT.c.id.in_(chunk))))
        return found

    def record_rejection(self, rejection: RejectionRecord) -> bool:
        """Record that an input is bad: whether that is new.  What is known takes the new time and text."""
        row = row_of(rejection, REJECTION)
        with self._database.write() as connection:
            is_new = insert_once(connection, REJECTION, row)
            if not is_new:
                connection.execute(update(REJECTION).where(REJECTION.c.id == rejection.id).values(row))
            return is_new

    def rejections(self, subjects: Iterable[str], reader_version: str) -> dict[str, RejectionRecord]:
        """Return each subject's newest rejection by that version of the reader; others are left out.

        A rejection stays on record and counts no more once the content, or that normalisation of it, was normalised after
        all: somebody had it tried again.
        """
        found: dict[str, RejectionRecord] = {}
        query = select(*columns_for(RejectionRecord, REJECTION)).order_by(REJECTION.c.created)
        with self._database.read() as connection:
            for chunk in chunks(set(subjects)):
                chosen = query.where(
                    REJECTION.c.subject.in_(chunk), REJECTION.c.reader_version == reader_version, ~_was_refuted()
                )
                for row in connection.execute(chosen):
                    found[row.subject] = RejectionRecord(**as_fields(row))
        return found

    def made_again(self, identities: Iterable[str], since: datetime) -> int:
        """How often one of these products was made after that moment although it was there."""
        table, count = schema.duplicate_work, 0
        with self._database.read() as connection:
            for chunk in chunks(set(identities)):
                query = select(func.count()).where(table.c.identity.in_(chunk), table.c.created >= since)
                count += connection.execute(query).scalar_one()
        return count

    def duplicate_work(self) -> dict[WorkKind, int]:
        """How many products of each kind were made although they were there; every kind is named."""
        table = schema.duplicate_work
        query = select(table.c.kind, func.count().label("times")).group_by(table.c.kind)
        with self._database.read() as connection:
            counted = {row.kind: row.times for row in connection.execute(query)}
        return {kind: counted.get(kind, 0) for kind in WorkKind}


def _was_refuted() -> ColumnElement[bool]:
    made = schema.normalization
    by_content = select(made.c.id).where(made.c.digest == REJECTION.c.subject).exists()
    return by_content | select(made.c.id).where(made.c.id == REJECTION.c.subject).exists()


def _insert_rows(connection: Connection, results: Sequence[ResultRecord]) -> None:
    rows = [row_of(row, ROW, result_id=result.id) for result in results for row in result.rows]
    labels = [
        {"result_id": result.id, "row": row.row, **label._asdict()}
        for result in results
        for row in result.rows
        for label in row.labels
    ]
    if rows:
        connection.execute(insert(ROW), rows)
    if labels:
        connection.execute(insert(LABEL), labels)


def _result_rows(connection: Connection, identity: str, model_id: str) -> tuple[ResultRow, ...]:
    names = connection.scalars(select(schema.model.c.label_names).where(schema.model.c.id == model_id)).one()
    labels: dict[int, list[LabelValue]] = {}
    for row in connection.execute(select(LABEL).where(LABEL.c.result_id == identity)):
        labels.setdefault(row.row, []).append(LabelValue(row.name, row.value, row.error, row.raw_error))
    query = select(*columns_for(ResultRow, ROW)).where(ROW.c.result_id == identity).order_by(ROW.c.row)
    return tuple(
        ResultRow(**as_fields(row), labels=_in_order(labels.get(row.row, []), names))
        for row in connection.execute(query)
    )


def _in_order(labels: Sequence[LabelValue], names: Sequence[str]) -> tuple[LabelValue, ...]:
    def place(label: LabelValue) -> tuple[int, str]:
        return (names.index(label.name) if label.name in names else len(names), label.name)

    return tuple(sorted(labels, key=place))
