"""Labels as tables: what is current, and the history of a star."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, Select, func, select

from include.catalog import schema
from include.catalog.current import current_contents, current_results, results_newest_first, rows_of, these_results
from include.catalog.database import CatalogError
from include.catalog.models import Models
from include.catalog.part import chunks
from include.catalog.records import ModelRecord, utc_now

if TYPE_CHECKING:
    from astropy.table import Table

DEFAULT_LABELS = ("TEFF", "LOGG", "FE_H")
"""The label columns of a table when there is no model to say which."""
SDSS4_NAMES = ("2M", "AP")
"""How the names of stars begin in DR17: of 2MASS, and made for stars without a 2MASS source."""
PREFIXES = ("ap", "as")
"""How the names of apStar files begin: Apache Point and, up to DR17, Las Campanas."""


class LabelTables(Models):
    """The catalogue's methods that answer with tables."""

    def labels(
        self,
        night: int | None = None,
        model: str | None = None,
        telescope: str | None = None,
        *,
        visits: bool = False,
        results: Collection[str] | None = None,
    ) -> Table:
        """Return the current labels of each star: one row a spectrum, by star and night.

        The current result of a star is that of the content which its path in the archive holds now; a path that is gone
        keeps its last.  Of several results of a content the newest counts.

        Parameters
        ----------
        night
            Stars with a visit on this SDSS MJD; default: of all nights.
        model
            Identity of a model, or the name under which one is in force; default: the model that was
            last put in force.
        telescope
            Stars of this telescope; default: of all.
        visits
            The rows of single visits in the place of the stacks.
        results
            Identities: only these results count, so that the newest is the newest of them; default: all count.

        Returns
        -------
        astropy.table.Table
            The columns of Astra's summary product with units and descriptions (:mod:`include.catalog.tables`).
            Without a model, or without results, it is empty and has its columns.

        Raises
        ------
        CatalogError
            `model` is neither a model's identity nor a name that has one in force.
        """
        chosen = self._choose(model)
        names = chosen.label_names if chosen else DEFAULT_LABELS
        rows: Sequence[Row[Any]] = ()
        if chosen:
            contents = current_contents(night=night, telescope=telescope)
            if results is None:
                queries = [current_results([chosen.id], contents, visits=visits)]
            else:
                every = results_newest_first(chosen.id, contents, visits=visits)
                queries = [these_results(chunk) for chunk in chunks(self._newest(every, frozenset(results)))]
            rows = self._rows(rows_of(query, names, visits=visits) for query in queries)
        about = {"MODEL": chosen.id if chosen else "", "MODNAME": chosen.name if chosen else ""}
        return _table(rows, names, about | self._made() | _filters(night, telescope))

    def history(self, obj: str) -> Table:
        """Everything that was ever inferred of a star, oldest first: by any model, of any content, stacks and visits.

        The columns are those of :meth:`labels`, for the labels of every model that took part, and ``current``:
        whether the content is what its path holds now, the model is in force, and no newer result took its place.
        """
        of_star = (
            select(schema.result.c.id)
            .join(schema.normalization, schema.normalization.c.id == schema.result.c.normalization_id)
            .join(schema.spectrum, schema.spectrum.c.digest == schema.normalization.c.digest)
            .where(schema.spectrum.c.obj == obj)
        )
        names = self._names_of(of_star) or DEFAULT_LABELS
        rows = self._rows([rows_of(of_star, names, visits=None)])
        rows.sort(key=lambda row: (row.created, row.result, row.row))
        table = _table(rows, names, {"OBJ": obj} | self._made())
        current = self._current(obj)
        _add_current(table, [row.result in current for row in rows])
        return table

    def _choose(self, model: str | None) -> ModelRecord | None:
        if model is None:
            return self.model_in_force()
        chosen = self.model(model) or self.model_in_force(model)
        if chosen is None:
            raise CatalogError(f"expected the identity of a model or a name that has one in force, got {model!r}.")
        return chosen

    def _rows(self, queries: Iterable[Select[Any]]) -> list[Row[Any]]:
        with self._database.read() as connection:
            rows = [row for query in queries for row in connection.execute(query)]
        return sorted(rows, key=lambda row: (row.obj, row.telescope or "", row.mjd or 0, row.row))

    def _newest(self, newest_first: Select[Any], among: Set[str]) -> list[str]:
        """Return each content's newest result that is `among` some; here, as no database takes so many in a query."""
        newest: dict[str, str] = {}
        with self._database.read() as connection:
            for row in connection.execute(newest_first):
                if row.id in among:
                    newest.setdefault(row.digest, row.id)
        return list(newest.values())

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
        from include.catalog.tables import iso_utc

        return {"CATALOG": self._database.url.render_as_string(hide_password=True), "CREATED": iso_utc(utc_now())}


def _filters(night: int | None, telescope: str | None) -> dict[str, str | int]:
    wanted = {"NIGHT": night, "TELESCOP": telescope}
    return {key: value for key, value in wanted.items() if value is not None}


def _sdss4_apogee_id(row: Row[Any]) -> str:
    return row.obj if row.obj.startswith(SDSS4_NAMES) else ""


def _prefix(row: Row[Any]) -> str:
    begin = PurePosixPath(row.path).name[:2]
    return begin if begin in PREFIXES else ""


DERIVED: Mapping[str, Callable[[Row[Any]], str]] = {"sdss4_apogee_id": _sdss4_apogee_id, "prefix": _prefix}
"""Columns that follow from others of a row."""


def _table(rows: Sequence[Row[Any]], names: Sequence[str], meta: dict[str, Any]) -> Table:
    from include.catalog.tables import FIT, STAR, build_table, iso_utc, label_columns

    def values(name: str) -> list[Any]:
        if name in DERIVED:
            return [DERIVED[name](row) for row in rows]
        place = rows[0]._fields.index(name) if rows else 0
        return [row[place] for row in rows]

    columns = [(spec, values(spec.name)) for spec in STAR]
    for place, name in enumerate(names):
        of_label = [values(f"{part}_{place}") for part in ("value", "error", "raw_error")]
        columns += zip(label_columns(name), of_label, strict=True)
    *fit, created = FIT
    columns += [(spec, values(spec.name)) for spec in fit]
    return build_table([*columns, (created, [iso_utc(moment) for moment in values(created.name)])], meta)


def _add_current(table: Table, current: Sequence[bool]) -> None:
    from include.catalog.tables import CURRENT

    table.add_column(CURRENT.column(current))
