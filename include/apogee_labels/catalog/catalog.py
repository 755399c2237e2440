"""The catalogue as its callers see it: a subject for each thing that it knows of."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy.engine import URL

from apogee_labels.catalog.db.database import Database
from apogee_labels.catalog.db.upgrade import ensure_schema
from apogee_labels.catalog.queries.archive import Archive
from apogee_labels.catalog.queries.contents import Contents, ExpectedOf
from apogee_labels.catalog.queries.label_tables import LabelTables
from apogee_labels.catalog.queries.lineage import Lineages
from apogee_labels.catalog.queries.models import Models, ReferenceStars
from apogee_labels.catalog.queries.nights import Nights
from apogee_labels.catalog.queries.normalizations import Normalizations
from apogee_labels.catalog.queries.products import Duplicates
from apogee_labels.catalog.queries.rejections import Rejections
from apogee_labels.catalog.queries.results import Results
from apogee_labels.catalog.queries.spectra import Spectra
from apogee_labels.catalog.queries.states import States

if TYPE_CHECKING:
    from astropy.table import Table


class Catalog:
    """What was seen, normalised, inferred and rejected, and by which model.

    Each method of a subject is one transaction and can be repeated: a record is written once, and a ``bool`` says whether
    this call was the one that wrote it.  A database that is busy is waited for; one that cannot be reached raises
    SQLAlchemy's error, which may pass.  Forked processes may share a catalogue.

    Attributes
    ----------
    archive, spectra
        The files of the archive as last scanned, and the contents that were read.
    normalizations, results, rejections, duplicates
        What was made of the contents, what could not be, and what was made twice.
    contents
        What is known of a content: done, rejected, normalised or due.
    models, reference_stars
        The models, which are in force, and the stars on which they are compared.
    nights, states
        The runs over each night, and what is known of each file now.
    label_tables, lineage
        Labels as tables, and where a value comes from.

    Examples
    --------
    >>> with Catalog.open("sqlite:///catalog.db") as catalog:  # doctest: +SKIP
    ...     model = catalog.models.in_force()
    ...     stars = catalog.labels(night=59000)
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.archive = Archive(database)
        self.spectra = Spectra(database)
        self.contents = Contents(database)
        self.normalizations = Normalizations(database)
        self.results = Results(database)
        self.rejections = Rejections(database)
        self.duplicates = Duplicates(database)
        self.models = Models(database)
        self.reference_stars = ReferenceStars(database)
        self.nights = Nights(database)
        self.states = States(database)
        self.label_tables = LabelTables(database)
        self.lineage = Lineages(database)

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

    def labels(
        self,
        night: int | None = None,
        model: str | None = None,
        telescope: str | None = None,
        *,
        visits: bool = False,
        expected: ExpectedOf | None = None,
    ) -> Table:
        """Return the current labels of each star: one row a spectrum, by star and night.

        The current result of a star is that of the content which its path in the archive holds now; a path that is gone
        keeps its last.  Of several results of a content the newest counts.

        Parameters
        ----------
        night
            Stars with a visit on this SDSS MJD; default: of all nights.
        model
            A model, as ``models.choose`` takes it; default: the one that was last put in force.
        telescope
            Stars of this telescope; default: of all.
        visits
            The rows of single visits in the place of the stacks, each with its own MJD, S/N and flags.
        expected
            ``expected(digest, model_id)``: the identities that the products of a content have by certain parameters; only
            those results count, and what was tried with others does not.  Default: all count.

        Returns
        -------
        astropy.table.Table
            The columns of Astra's summary product with units and descriptions (:mod:`apogee_labels.fits.tables`).
            Without a model, or without results, it is empty and has its columns.

        Raises
        ------
        CatalogError
            `model` is not one.
        """
        return self.label_tables.current(night, model, telescope, visits=visits, expected=expected)

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
