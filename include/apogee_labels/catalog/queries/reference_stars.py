"""The stars on which new models are compared with the one in force: chosen once for a name, and then fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import insert_once
from apogee_labels.catalog.db.rows import Subject, as_fields, row_of

STAR = schema.reference_star


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceStar:
    """A spectrum of a star, under the name of a line of models."""

    name: str
    normalization_id: str
    obj: str
    chosen_at: datetime


class ReferenceStars(Subject):
    """The reference stars of each line of models."""

    def find(self, name: str) -> list[ReferenceStar]:
        """Return the reference stars of a line of models, in the order of their names."""
        query = select(STAR).where(STAR.c.name == name).order_by(STAR.c.obj, STAR.c.normalization_id)
        with self._database.read() as connection:
            return [ReferenceStar(**as_fields(row)) for row in connection.execute(query)]

    def normalizations(self) -> set[str]:
        """Return the normalisations of all reference stars, of every line of models."""
        with self._database.read() as connection:
            return set(connection.scalars(select(STAR.c.normalization_id)))

    def record(self, stars: Sequence[ReferenceStar]) -> None:
        """Record reference stars; those that are there stay as they are."""
        with self._database.write() as connection:
            for star in sorted(stars, key=lambda star: star.normalization_id):
                insert_once(connection, STAR, row_of(star, STAR))
