"""Labels as tables: what is current, and the history of a star."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, func, select

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.rows import CHUNK, Subject
from apogee_labels.catalog.queries.contents import ExpectedOf
from apogee_labels.catalog.queries.current import (
    all_results,
    by_star,
    current_contents,
    current_results,
    rows_of,
    these_results,
)
from apogee_labels.catalog.queries.label_rows import LabelRows, star_by_star, text_widths
from apogee_labels.catalog.queries.models import Models
from apogee_labels.catalog.records import ModelRecord, utc_now
from apogee_labels.core.labels import DEFAULT_LABELS

if TYPE_CHECKING:
    from astropy.table import Table

"""The label columns of a table when there is no model to say which."""


@dataclass(frozen=True)
class _Question:
    """Which results a table is of."""

    model: ModelRecord | None
    night: int | None = None
    telescope: str | None = None
    visits: bool = False
    expected: ExpectedOf | None = None

    @property
    def names(self) -> Sequence[str]:
        return self.model.label_names if self.model else DEFAULT_LABELS

    @property
    def meta(self) -> dict[str, str | int]:
        about = {"MODEL": self.model.id if self.model else "", "MODNAME": self.model.name if self.model else ""}
        filters = {"NIGHT": self.night, "TELESCOP": self.telescope}
        return about | {key: value for key, value in filters.items() if value is not None}

    def counts(self, digest: str, identity: str) -> bool:
        """Whether a result of a content is one that was asked for."""
        if self.expected is None or self.model is None:
            return True
        return self.expected(digest, self.model.id).result_id == identity


class LabelTables(Subject):
    """Labels as tables: of all stars, part by part, and of one star through time."""

    def current(
        self,
        night: int | None = None,
        model: str | None = None,
        telescope: str | None = None,
        *,
        visits: bool = False,
        expected: ExpectedOf | None = None,
    ) -> Table:
        """Return the current labels of each star: this is :meth:`apogee_labels.catalog.Catalog.labels`."""
        question = _Question(Models(self._database).choose(model), night, telescope, visits, expected)
        with self._database.read() as connection:
            rows = LabelRows.joined(self._parts(connection, question, CHUNK))
        return rows.table(question.names, question.meta | self._made())

    def parts(
        self, model: str | None = None, *, visits: bool = False, expected: ExpectedOf | None = None, size: int = CHUNK
    ) -> Iterator[Table]:
        """Return what :meth:`current` returns in tables of about `size` spectra, for a million stars in bounded memory.

        The parts have the same columns, as wide as each other's, and are of one moment.  There is at least one.
        """
        question = _Question(Models(self._database).choose(model), visits=visits, expected=expected)
        meta, empty = question.meta | self._made(), True
        with self._database.snapshot() as connection:
            widths = text_widths(connection)
            for rows in self._parts(connection, question, size):
                yield rows.table(question.names, meta, widths)
                empty = False
        if empty:
            yield LabelRows((), {}).table(question.names, meta, widths)

    def history(self, obj: str) -> Table:
        """Everything that was ever inferred of a star, oldest first: by any model, of any content, stacks and visits.

        The columns are those of :meth:`current`, for the labels of every model that took part, and ``current``:
        whether the content is what its path holds now, the model is in force, and no newer result took its place;
        and ``is_visit``: whether the row is a single visit.
        """
        from apogee_labels.fits.tables import CURRENT, IS_VISIT

        of_star = (
            select(schema.result.c.id)
            .join(schema.normalization, schema.normalization.c.id == schema.result.c.normalization_id)
            .join(schema.spectrum, schema.spectrum.c.digest == schema.normalization.c.digest)
            .where(schema.spectrum.c.obj == obj)
        )
        names = self._names_of(of_star) or DEFAULT_LABELS
        with self._database.read() as connection:
            found = LabelRows.read(connection, rows_of(of_star, names, visits=None))
        ordered = LabelRows.joined([found], key=lambda row: (row.created, row.result, row.row))
        table = ordered.table(names, {"OBJ": obj} | self._made())
        current = self._current(obj)
        table.add_column(CURRENT.column([row.result in current for row in ordered.rows]))
        table.add_column(IS_VISIT.column([row.visit_mjd is not None for row in ordered.rows]))
        return table

    def _parts(self, connection: Connection, question: _Question, size: int) -> Iterator[LabelRows]:
        """Return the rows, some thousand results at a time: a database takes no more in a query, and memory no million."""
        if question.model is None:
            return
        contents, visits = current_contents(night=question.night, telescope=question.telescope), question.visits
        if question.expected is None:
            results = current_results([question.model.id], contents, visits=visits)
        else:
            results = all_results(question.model.id, contents, visits=visits)
        # As Python sorts, whatever language the database was made for.
        collation = "C" if connection.dialect.name == "postgresql" else None
        found = connection.execute(by_star(results, collation=collation), execution_options={"yield_per": size})
        counted = (row for row in found if question.counts(row.digest, row.id))
        for part in star_by_star(counted, size):
            yield LabelRows.read(connection, rows_of(these_results(part), question.names, visits=visits))

    def _current(self, obj: str) -> set[str]:
        """Return the current results of a star by the models in force, stacks and visits."""
        contents, in_force = current_contents(obj=obj), schema.in_force
        newest = select(func.max(in_force.c.id)).group_by(in_force.c.name)
        with self._database.read() as connection:
            models = connection.scalars(select(in_force.c.model_id).where(in_force.c.id.in_(newest))).all()
            queries = [current_results(models, contents, visits=visits) for visits in (False, True)]
            return {identity for query in queries for identity in connection.scalars(query)}

    def _names_of(self, results: Select[Any]) -> tuple[str, ...]:
        """Return the labels of the models behind `results`, the oldest model's first."""
        models = select(schema.result.c.model_id).where(schema.result.c.id.in_(results))
        query = select(schema.model.c.label_names).where(schema.model.c.id.in_(models)).order_by(schema.model.c.created)
        with self._database.read() as connection:
            return tuple(dict.fromkeys(name for names in connection.scalars(query) for name in names))

    def _made(self) -> dict[str, str]:
        from apogee_labels.fits.tables import iso_utc

        return {"CATALOG": self._database.url.render_as_string(hide_password=True), "CREATED": iso_utc(utc_now())}
