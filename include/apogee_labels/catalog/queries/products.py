"""Products are recorded once under their identity, and counted when they were made a second time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from apogee_labels.catalog.db.database import insert_each_once
from apogee_labels.catalog.db.rows import Subject, chunks, row_of
from apogee_labels.catalog.db.schema import duplicate_work
from apogee_labels.catalog.records import WorkKind, utc_now


class Duplicates(Subject):
    """What was made although it was there: two runs had met."""

    def counts(self) -> dict[WorkKind, int]:
        """How many products of each kind were made although they were there; every kind is named."""
        query = select(duplicate_work.c.kind, func.count().label("times")).group_by(duplicate_work.c.kind)
        with self._database.read() as connection:
            counted = {row.kind: row.times for row in connection.execute(query)}
        return {kind: counted.get(kind, 0) for kind in WorkKind}

    def count_since(self, identities: Iterable[str], since: datetime) -> int:
        """How often one of these products was made after that moment although it was there."""
        table, count = duplicate_work, 0
        with self._database.read() as connection:
            for chunk in chunks(set(identities)):
                query = select(func.count()).where(table.c.identity.in_(chunk), table.c.created >= since)
                count += connection.execute(query).scalar_one()
        return count


def record_products(connection: Connection, kind: WorkKind, table: Table, records: Sequence[Any]) -> set[str]:
    """Insert products under their identities, and count those that were there; the identities that are new."""
    new = insert_each_once(connection, table, [row_of(record, table) for record in records])
    twice = Counter(record.id for record in records) - Counter(new)
    again = [{"kind": kind, "identity": identity, "created": utc_now()} for identity in twice.elements()]
    if again:
        connection.execute(insert(duplicate_work), again)
    return new
