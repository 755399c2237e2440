"""The catalogue as its callers see it: one class, whose methods are in the modules beside this one, by subject."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sqlalchemy.engine import URL

from apogee_labels.catalog.db.database import Database
from apogee_labels.catalog.db.upgrade import ensure_schema
from apogee_labels.catalog.queries.drift import Drifts
from apogee_labels.catalog.queries.known_files import KnownFiles
from apogee_labels.catalog.queries.label_tables import LabelTables
from apogee_labels.catalog.queries.lineage import Lineages
from apogee_labels.catalog.queries.night_status import NightStatuses
from apogee_labels.catalog.queries.nights import Nights
from apogee_labels.catalog.queries.outdated import OutdatedResults
from apogee_labels.catalog.queries.reference_stars import ReferenceStars


class Catalog(Nights, NightStatuses, LabelTables, KnownFiles, Drifts, Lineages, OutdatedResults, ReferenceStars):
    """What was seen, normalised, inferred and rejected, and by which model.

    Each method is one transaction and can be repeated: a record is written once, and a ``bool`` says whether this
    call was the one that wrote it.  A database that is busy is waited for; one that cannot be reached raises
    SQLAlchemy's error, which may pass.  Forked processes may share a catalogue.

    Examples
    --------
    >>> with Catalog.open("sqlite:///catalog.db") as catalog:  # doctest: +SKIP
    ...     stars = catalog.labels(night=59000)
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str | URL) -> Self:
        """Return the catalogue at an SQLAlchemy URL, created or brought up to date when it is not.

        Cheap when it is up to date: one SELECT.  For SQLite the folder is made and a relative path is taken from the
        current folder; ``postgres://`` and ``postgresql://`` mean psycopg2.

        Raises
        ------
        CatalogError
            The URL names no database that can be used, or the catalogue is newer than this code.
        sqlalchemy.exc.OperationalError
            The database does not answer.
        """
        database = Database(url)
        try:
            ensure_schema(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def url(self) -> str:
        """Where the catalogue is, without the password."""
        return self._database.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Catalog({self.url!r})"
