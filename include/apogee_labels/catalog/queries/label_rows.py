"""From the rows of a query to a table: one row a spectrum, the columns of Astra's summary product."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, select

from apogee_labels.catalog.db.schema import normalization, result, spectrum, visit
from apogee_labels.catalog.queries.current import widths_of

if TYPE_CHECKING:
    from astropy.table import Table

    from apogee_labels.fits.tables import ColumnSpec

SDSS4_NAMES = ("2M", "AP")
"""How the names of stars begin in DR17: of 2MASS, and made for stars without a 2MASS source."""
PREFIXES = ("ap", "as")
"""How the names of apStar files begin: Apache Point and, up to DR17, Las Campanas."""
SAME_WIDTH = {"sdss4_apogee_id": "obj"}
"""Columns of text that are as wide as another."""


@dataclass(frozen=True)
class LabelRows:
    """Rows of :func:`apogee_labels.catalog.queries.current.rows_of`, and the flags of the visits among them."""

    rows: Sequence[Row[Any]]
    flags: Mapping[tuple[str, int], int]
    """STARFLAG of the visit that a row is, by the row's result and number."""

    @classmethod
    def read(cls, connection: Connection, query: Select[Any]) -> LabelRows:
        """Read the rows by star and night, each visit with its own flags."""
        rows = sorted(connection.execute(query), key=_order)
        return cls(rows, _flags_of_visits(connection, [row for row in rows if row.visit_mjd is not None]))

    @classmethod
    def joined(cls, parts: Iterable[LabelRows], key: Callable[[Row[Any]], Any] | None = None) -> LabelRows:
        """Return all parts as one, by star and night or sorted by `key`."""
        parts = list(parts)
        rows = [row for part in parts for row in part.rows]
        return cls(sorted(rows, key=key or _order), {key: flags for part in parts for key, flags in part.flags.items()})

    def __len__(self) -> int:
        return len(self.rows)

    def table(self, names: Sequence[str], meta: Mapping[str, Any], widths: Mapping[str, int] | None = None) -> Table:
        """Return the rows with the columns of the labels `names`; `widths`: characters of columns of text, at least."""
        from apogee_labels.fits.tables import FIT, STAR, build_table, label_columns

        columns = [(spec, self._values(spec.name)) for spec in STAR]
        for place, name in enumerate(names):
            of_label = [self._values(f"{part}_{place}") for part in ("value", "error", "raw_error")]
            columns += zip(label_columns(name), of_label, strict=True)
        columns += [(spec, self._values(spec.name)) for spec in FIT]
        return build_table([(_widened(spec, widths or {}), values) for spec, values in columns], meta)

    def _values(self, name: str) -> list[Any]:
        if name == "spectrum_flags":
            return [self.flags.get((row.result, row.row), row.spectrum_flags) for row in self.rows]
        if name in DERIVED:
            return [DERIVED[name](row) for row in self.rows]
        place = self.rows[0]._fields.index(name) if self.rows else 0
        return [row[place] for row in self.rows]


def text_widths(connection: Connection) -> dict[str, int]:
    """Return how many characters the columns of text need for whatever is in the catalogue.

    Tables that are read part by part, and written below one another, have to agree about it beforehand.
    """
    of_star = ("obj", "telescope", "release", "apred", "field")
    found = connection.execute(widths_of({name: spectrum.c[name] for name in of_star})).one()._asdict()
    of_methods = [connection.scalar(widths_of({"width": table.c.method_version})) for table in (normalization, result)]
    widths = found | {"v_apogee_cannon": sum(width or 0 for width in of_methods) + 1}
    return {name: width or 0 for name, width in widths.items()}


def star_by_star(found: Iterable[Row[Any]], size: int) -> Iterator[list[str]]:
    """Return the identities of results, which come star after star, in lists of about `size` that divide no star."""
    part: list[str] = []
    for _, of_star in groupby(found, key=lambda row: row.obj):
        identities = [row.id for row in of_star]
        if part and len(part) + len(identities) > size:
            yield part
            part = []
        part += identities
    if part:
        yield part


def _order(row: Row[Any]) -> tuple[Any, ...]:
    return row.obj, row.telescope or "", row.mjd or 0, row.row, row.result


def _flags_of_visits(connection: Connection, rows: Sequence[Row[Any]]) -> dict[tuple[str, int], int]:
    """Return the flags of the visits that `rows` are: rows and visits have one order, and a visit may have no row."""
    if not rows:
        return {}
    columns = (visit.c.digest, visit.c.mjd, visit.c.starflag)
    query = select(*columns).where(visit.c.digest.in_({row.spectrum for row in rows}))
    visits = {
        digest: list(of_content)
        for digest, of_content in groupby(
            connection.execute(query.order_by(visit.c.digest, visit.c.number)), key=lambda row: row.digest
        )
    }
    flags = {}
    in_order = sorted(rows, key=lambda row: (row.result, row.row))
    for identity, of_result in groupby(in_order, key=lambda row: row.result):
        left = None
        for row in of_result:
            left = iter(visits.get(row.spectrum, ())) if left is None else left
            flags[identity, row.row] = next((one.starflag for one in left if one.mjd == row.visit_mjd), None)
    return {key: value for key, value in flags.items() if value is not None}


def _widened(spec: ColumnSpec, widths: Mapping[str, int]) -> ColumnSpec:
    return spec.at_least(widths.get(SAME_WIDTH.get(spec.name, spec.name), 0))


def _sdss4_apogee_id(row: Row[Any]) -> str:
    return row.obj if row.obj.startswith(SDSS4_NAMES) else ""


def _prefix(row: Row[Any]) -> str:
    begin = PurePosixPath(row.path).name[:2]
    return begin if begin in PREFIXES else ""


def _created(row: Row[Any]) -> str:
    from apogee_labels.fits.tables import iso_utc

    return iso_utc(row.created)


DERIVED: Mapping[str, Callable[[Row[Any]], str]] = {
    "sdss4_apogee_id": _sdss4_apogee_id,
    "prefix": _prefix,
    "created": _created,
}
"""Columns that follow from others of a row."""
