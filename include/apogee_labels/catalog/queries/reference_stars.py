"""The stars on which new models are compared with the one in force: chosen once for a name, and then fixed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import insert_once
from apogee_labels.catalog.db.part import Part, as_fields, chunks, row_of
from apogee_labels.catalog.records import NormalizationRecord

STAR = schema.reference_star


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceStar:
    """A spectrum of a star, under the name of a line of models."""

    name: str
    normalization_id: str
    obj: str
    chosen_at: datetime


class ReferenceStars(Part):
    """The catalogue's methods about reference stars."""

    def reference_stars(self, name: str) -> list[ReferenceStar]:
        """Return the reference stars of a line of models, in the order of their names."""
        query = select(STAR).where(STAR.c.name == name).order_by(STAR.c.obj, STAR.c.normalization_id)
        with self._database.read() as connection:
            return [ReferenceStar(**as_fields(row)) for row in connection.execute(query)]

    def reference_spectra(self) -> set[str]:
        """Return the normalisations of all reference stars, of every line of models."""
        with self._database.read() as connection:
            return set(connection.scalars(select(STAR.c.normalization_id)))

    def record_reference_stars(self, stars: Sequence[ReferenceStar]) -> None:
        """Record reference stars; those that are there stay as they are."""
        with self._database.write() as connection:
            for star in sorted(stars, key=lambda star: star.normalization_id):
                insert_once(connection, STAR, row_of(star, STAR))

    def newest_normalizations_of(self, objs: Iterable[str]) -> dict[str, list[NormalizationRecord]]:
        """Return the normalised spectra of stars by their name, the newest first; a star without any is left out."""
        made, spectrum = schema.normalization, schema.spectrum
        query = select(spectrum.c.obj, made).join(spectrum, spectrum.c.digest == made.c.digest)
        found: dict[str, list[NormalizationRecord]] = {}
        with self._database.read() as connection:
            for chunk in chunks(set(objs)):
                chosen = query.where(spectrum.c.obj.in_(chunk)).order_by(made.c.created.desc(), made.c.id)
                for row in connection.execute(chosen):
                    fields = as_fields(row)
                    found.setdefault(fields.pop("obj"), []).append(NormalizationRecord(**fields))
        return found
