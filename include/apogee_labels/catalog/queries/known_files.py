"""Which files of a night the catalogue knows of, whether they are here or not."""

from __future__ import annotations

from sqlalchemy import select, union

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.part import Part

FILE = schema.archive_file
SPECTRUM = schema.spectrum
VISIT = schema.visit


class KnownFiles(Part):
    """The catalogue's method about paths that had a content of a night."""

    def known_paths(self, telescope: str, mjd: int) -> list[str]:
        """Return every path that ever had a content with a visit on that SDSS MJD, gone or not, in order."""
        of_night = select(VISIT.c.digest).where(VISIT.c.mjd == mjd)
        indexed = select(FILE.c.path).where(FILE.c.telescope == telescope, FILE.c.digest.in_(of_night))
        read = select(SPECTRUM.c.path).where(SPECTRUM.c.telescope == telescope, SPECTRUM.c.digest.in_(of_night))
        with self._database.read() as connection:
            return sorted(connection.scalars(union(indexed, read)))
