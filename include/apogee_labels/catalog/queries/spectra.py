"""The contents of apStar files that were read, with their visits."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from apogee_labels.catalog.db.database import insert_each_once
from apogee_labels.catalog.db.rows import Subject, as_fields, chunks, columns_for, row_of
from apogee_labels.catalog.db.schema import spectrum, visit
from apogee_labels.catalog.records import SpectrumRecord, VisitRecord


class Spectra(Subject):
    """The contents that were read, by their digest."""

    def record(self, content: SpectrumRecord) -> bool:
        """Record a content that was read, with its visits: whether it is new."""
        with self._database.write() as connection:
            return bool(insert_spectra(connection, [content]))

    def get(self, digest: str) -> SpectrumRecord | None:
        """Return the content with that digest, if it was read."""
        return self.find([digest]).get(digest)

    def find(self, digests: Iterable[str]) -> dict[str, SpectrumRecord]:
        """Return the contents that were read, by their digest; others are left out."""
        found: dict[str, SpectrumRecord] = {}
        with self._database.read() as connection:
            for chunk in chunks(set(digests)):
                visits = _visits(connection, chunk)
                for row in connection.execute(select(spectrum).where(spectrum.c.digest.in_(chunk))):
                    found[row.digest] = SpectrumRecord(**as_fields(row), visits=tuple(visits.get(row.digest, ())))
        return found


def insert_spectra(connection: Connection, contents: Iterable[SpectrumRecord]) -> set[str]:
    """Insert contents that are not there, with their visits: the digests of those that are new."""
    by_digest: dict[str, SpectrumRecord] = {}
    for content in contents:
        by_digest.setdefault(content.digest, content)
    new: set[str] = insert_each_once(connection, spectrum, [row_of(each, spectrum) for each in by_digest.values()])
    visits = [row_of(each, visit, digest=digest) for digest in sorted(new) for each in by_digest[digest].visits]
    if visits:
        connection.execute(insert(visit), visits)
    return new


def _visits(connection: Connection, digests: Iterable[str]) -> dict[str, list[VisitRecord]]:
    """Return the visits of each content, by their number."""
    found: dict[str, list[VisitRecord]] = {}
    columns = columns_for(VisitRecord, visit)
    query = select(visit.c.digest, *columns).where(visit.c.digest.in_(digests)).order_by(visit.c.number)
    for digest, *values in connection.execute(query):
        names = (column.name for column in columns)
        found.setdefault(digest, []).append(VisitRecord(**dict(zip(names, values, strict=True))))
    return found
