"""What was made from the files, and what could not be: normalisations, results, rejections, and work done twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, insert, select, update

from include.catalog import schema
from include.catalog.database import insert_once
from include.catalog.part import Part, as_fields, chunks, columns_for, row_of
from include.catalog.records import (
    LabelValue,
    NormalizationRecord,
    RejectionRecord,
    ResultRecord,
    ResultRow,
    WorkKind,
)

RESULT = schema.result
ROW = schema.result_row
LABEL = schema.label
REJECTION = schema.rejection


class Products(Part):
    """The catalogue's methods about what was made from a file."""

    def record_normalization(self, normalization: NormalizationRecord) -> bool:
        """Record a normalised spectrum: whether it is new.  One that is there is counted as work done twice."""
        with self._database.write() as connection:
            return self._record_product(connection, WorkKind.NORMALIZATION, schema.normalization, normalization)

    def normalization(self, identity: str) -> NormalizationRecord | None:
        """Return the normalised spectrum with that identity, if it was made."""
        return self.normalizations([identity]).get(identity)

    def normalizations(self, identities: Iterable[str]) -> dict[str, NormalizationRecord]:
        """Return the normalised spectra that were made, by their identity; others are left out."""
        return self._find(NormalizationRecord, schema.normalization, identities)

    def record_result(self, result: ResultRecord) -> bool:
        """Record a result, its rows and labels: whether it is new.  One that is there is counted as work done twice."""
        with self._database.write() as connection:
            if not self._record_product(connection, WorkKind.RESULT, RESULT, result):
                return False
            _insert_rows(connection, result)
            return True

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
        """Return each subject's newest rejection by that version of the reader; others are left out."""
        found: dict[str, RejectionRecord] = {}
        query = select(*columns_for(RejectionRecord, REJECTION)).order_by(REJECTION.c.created)
        with self._database.read() as connection:
            for chunk in chunks(set(subjects)):
                chosen = query.where(REJECTION.c.subject.in_(chunk), REJECTION.c.reader_version == reader_version)
                for row in connection.execute(chosen):
                    found[row.subject] = RejectionRecord(**as_fields(row))
        return found

    def duplicate_work(self) -> dict[WorkKind, int]:
        """How many products of each kind were made although they were there; every kind is named."""
        table = schema.duplicate_work
        query = select(table.c.kind, func.count().label("times")).group_by(table.c.kind)
        with self._database.read() as connection:
            counted = {row.kind: row.times for row in connection.execute(query)}
        return {kind: counted.get(kind, 0) for kind in WorkKind}


def _insert_rows(connection: Connection, result: ResultRecord) -> None:
    rows = [row_of(row, ROW, result_id=result.id) for row in result.rows]
    labels = [
        {"result_id": result.id, "row": row.row, **label._asdict()} for row in result.rows for label in row.labels
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
