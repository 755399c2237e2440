"""Input that is bad for good."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, exists, select, update

from apogee_labels.catalog.db.database import insert_once
from apogee_labels.catalog.db.rows import Subject, as_fields, chunks, columns_for, row_of
from apogee_labels.catalog.db.schema import normalization
from apogee_labels.catalog.db.schema import rejection as table
from apogee_labels.catalog.records import RejectionRecord


class Rejections(Subject):
    """What was rejected, by its subject: a content, one normalisation of it, or a path without content."""

    def record(self, rejection: RejectionRecord) -> bool:
        """Record that an input is bad: whether that is new.  What is known takes the new time and text."""
        row = row_of(rejection, table)
        with self._database.write() as connection:
            is_new = insert_once(connection, table, row)
            if not is_new:
                connection.execute(update(table).where(table.c.id == rejection.id).values(row))
            return is_new

    def find(self, subjects: Iterable[str], reader_version: str) -> dict[str, RejectionRecord]:
        """Return each subject's newest rejection by that version of the reader; others are left out.

        A rejection stays on record and counts no more once the content, or that normalisation of it, was normalised after
        all: somebody had it tried again.
        """
        found: dict[str, RejectionRecord] = {}
        query = select(*columns_for(RejectionRecord, table)).order_by(table.c.created)
        with self._database.read() as connection:
            for chunk in chunks(set(subjects)):
                chosen = query.where(table.c.subject.in_(chunk), still_holds(reader_version))
                for row in connection.execute(chosen):
                    found[row.subject] = RejectionRecord(**as_fields(row))
        return found


def still_holds(reader_version: str) -> ColumnElement[bool]:
    """Whether a rejection is by that version of the reader, and its subject was not normalised since."""
    made = normalization.alias("normalized_since")
    was_refuted = exists().where(made.c.digest == table.c.subject) | exists().where(made.c.id == table.c.subject)
    return (table.c.reader_version == reader_version) & ~was_refuted
