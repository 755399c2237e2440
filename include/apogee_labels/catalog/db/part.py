"""What the subjects of the catalogue share: the database, and the way from records to rows and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, insert, select
from sqlalchemy import Row as DatabaseRow

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import Database, insert_each_once
from apogee_labels.catalog.records import WorkKind, utc_now

CHUNK = 5000
"""Values in one IN list: SQLite takes at most 32,766 parameters in a statement."""

T = TypeVar("T")


class Part:
    """A subject of the catalogue; :class:`apogee_labels.catalog.store.Catalog` is all of them together."""

    _database: Database

    def _record_product(self, connection: Connection, kind: WorkKind, table: Table, record: Any) -> bool:
        """Insert a product under its identity, or count that it was made a second time."""
        return bool(self._record_products(connection, kind, table, [record]))

    def _record_products(
        self, connection: Connection, kind: WorkKind, table: Table, records: Sequence[Any]
    ) -> set[str]:
        """Insert products under their identities, and count those that were there; the identities that are new."""
        new = insert_each_once(connection, table, [row_of(record, table) for record in records])
        twice = Counter(record.id for record in records) - Counter(new)
        again = [{"kind": kind, "identity": identity, "created": utc_now()} for identity in twice.elements()]
        if again:
            connection.execute(insert(schema.duplicate_work), again)
        return new

    def _find(self, record_type: type[T], table: Table, keys: Iterable[str]) -> dict[str, T]:
        """Return the records of `table` with these primary keys, by key; those that are not there are left out."""
        found: dict[str, T] = {}
        (key,) = table.primary_key
        with self._database.read() as connection:
            for chunk in chunks(set(keys)):
                for row in connection.execute(select(table).where(key.in_(chunk))):
                    found[row._mapping[key.name]] = record_type(**row._mapping)
        return found


def row_of(record: Any, table: Table, **extra: Any) -> dict[str, Any]:
    """Return the columns of `table` that `record` has fields for, and `extra` ones."""
    return {
        name: getattr(record, name) for name in [column.name for column in table.c] if hasattr(record, name)
    } | extra


def columns_for(record_type: type[Any], table: Table) -> list[Column[Any]]:
    """Return the columns of `table` that are fields of `record_type`."""
    return [table.c[item.name] for item in fields(record_type) if item.name in table.c]


def as_fields(row: DatabaseRow[Any]) -> dict[str, Any]:
    """Return a row as keyword arguments for its record."""
    return dict(row._mapping)


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """`values` in lists of at most `size`."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
