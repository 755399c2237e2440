"""What the subjects of the catalogue share: the database, and the way from records to rows and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, Table, select
from sqlalchemy import Row as DatabaseRow

from apogee_labels.catalog.db.database import Database

CHUNK = 5000
"""Values in one IN list: SQLite takes at most 32,766 parameters in a statement."""

T = TypeVar("T")


class Subject:
    """What the catalogue is told, and answers, about one subject; :class:`apogee_labels.catalog.Catalog` has them all."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
