"""The normalised spectra that were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from apogee_labels.catalog.db.database import upsert
from apogee_labels.catalog.db.rows import Subject, as_fields, chunks, row_of
from apogee_labels.catalog.db.schema import archive_file, normalization, spectrum
from apogee_labels.catalog.queries.products import record_products
from apogee_labels.catalog.queries.spectra import insert_spectra
from apogee_labels.catalog.records import NormalizationRecord, NormalizedFile, WorkKind


class Normalizations(Subject):
    """The normalised spectra, by their identity."""

    def record(self, made: NormalizationRecord) -> bool:
        """Record a normalised spectrum: whether it is new.  One that is there is counted as work done twice."""
        with self._database.write() as connection:
            return bool(record_products(connection, WorkKind.NORMALIZATION, normalization, [made]))

    def record_files(self, files: Sequence[NormalizedFile]) -> None:
        """Record files that were read and normalised, their paths and contents included, in one transaction.

        What holds for each of them is what :meth:`record`, ``spectra.record`` and ``archive.index`` say.
        """
        entries = {each.file.path: each.file for each in files if each.file}
        with self._database.write() as connection:
            insert_spectra(connection, (each.spectrum for each in files if each.spectrum))
            upsert(connection, archive_file, [row_of(file, archive_file) for file in entries.values()])
            products = [each.normalization for each in files]
            record_products(connection, WorkKind.NORMALIZATION, normalization, products)

    def get(self, identity: str) -> NormalizationRecord | None:
        """Return the normalised spectrum with that identity, if it was made."""
        return self.find([identity]).get(identity)

    def find(self, identities: Iterable[str]) -> dict[str, NormalizationRecord]:
        """Return the normalised spectra that were made, by their identity; others are left out."""
        return self._find(NormalizationRecord, normalization, identities)

    def newest_of_stars(self, objs: Iterable[str]) -> dict[str, list[NormalizationRecord]]:
        """Return the normalised spectra of stars by their name, the newest first; a star without any is left out."""
        query = select(spectrum.c.obj, normalization).join(spectrum, spectrum.c.digest == normalization.c.digest)
        query = query.order_by(normalization.c.created.desc(), normalization.c.id)
        found: dict[str, list[NormalizationRecord]] = {}
        with self._database.read() as connection:
            for chunk in chunks(set(objs)):
                for row in connection.execute(query.where(spectrum.c.obj.in_(chunk))):
                    fields = as_fields(row)
                    found.setdefault(fields.pop("obj"), []).append(NormalizationRecord(**fields))
        return found
