"""What models inferred from normalised spectra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, insert, or_, select

from apogee_labels.catalog.db.rows import Subject, as_fields, chunks, columns_for, row_of
from apogee_labels.catalog.db.schema import label, model, normalization, result, result_row, spectrum, visit
from apogee_labels.catalog.queries.products import record_products
from apogee_labels.catalog.records import LabelValue, ResultRecord, ResultRow, WorkKind


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedSpectrum:
    """A row of a result, and what its content is.

    ``newest`` is the SDSS MJD of the content's last visit, ``mjd`` that of the row's visit (None: a stack), ``of_night``
    whether the content has a visit on the night that was asked about.  ``labels``
    are the values and formal errors by name, in the label's unit.
    """

    result_id: str
    digest: str
    obj: str
    telescope: str | None
    apred: str
    newest: int
    of_night: bool
    row: int
    mjd: int | None
    reduced_chi_sq: float
    snr: float
    labels: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class Results(Subject):
    """The results, by their identity."""

    def record(self, made: ResultRecord) -> bool:
        """Record a result, its rows and labels: whether it is new.  One that is there is counted as work done twice."""
        return bool(self.record_all([made]))

    def record_all(self, results: Sequence[ResultRecord]) -> set[str]:
        """Record results as :meth:`record` does, in one transaction: the identities of those that are new."""
        with self._database.write() as connection:
            new = record_products(connection, WorkKind.RESULT, result, results)
            _insert_rows(connection, list({each.id: each for each in results if each.id in new}.values()))
            return new

    def get(self, identity: str) -> ResultRecord | None:
        """Return the result with that identity, if it was made; its labels are in the order of the model's."""
        with self._database.read() as connection:
            found = connection.execute(select(result).where(result.c.id == identity)).first()
            if found is None:
                return None
            return ResultRecord(**as_fields(found), rows=_result_rows(connection, identity, found.model_id))

    def existing(self, identities: Iterable[str]) -> set[str]:
        """Those of `identities` that were made."""
        found: set[str] = set()
        with self._database.read() as connection:
            for chunk in chunks(set(identities)):
                found.update(connection.scalars(select(result.c.id).where(result.c.id.in_(chunk))))
        return found

    def of_stars_seen(self, telescope: str, mjd: int, model_id: str, *, visits: bool) -> list[FittedSpectrum]:
        """Return what a model found of the stars that were seen on a night, in one statement.

        Parameters
        ----------
        visits
            The rows of single visits, of the night and of other nights, of the contents that have a visit on that night;
            otherwise the stacks of every content of these stars, also of those from before the night.

        Returns
        -------
        list of FittedSpectrum
            By any parameters of normalisation and inference: the caller knows the identities that count.
        """
        rows: dict[tuple[str, int], FittedSpectrum] = {}
        with self._database.read() as connection:
            for found in connection.execute(_rows_of_stars(telescope, mjd, model_id, visits=visits)):
                name, value, error = found[-3:]
                spectrum_ = rows.get((found.result_id, found.row))
                if spectrum_ is None:
                    spectrum_ = FittedSpectrum(**dict(zip(found._fields[:-3], found[:-3], strict=True)), labels={})
                    rows[found.result_id, found.row] = spectrum_
                if name is not None:
                    spectrum_.labels[name] = (value, error)  # type: ignore[index]  # still being read
        return [rows[key] for key in sorted(rows)]


def _insert_rows(connection: Connection, results: Sequence[ResultRecord]) -> None:
    rows = [row_of(row, result_row, result_id=each.id) for each in results for row in each.rows]
    labels = [
        {"result_id": each.id, "row": row.row, **value._asdict()}
        for each in results
        for row in each.rows
        for value in row.labels
    ]
    if rows:
        connection.execute(insert(result_row), rows)
    if labels:
        connection.execute(insert(label), labels)


def _result_rows(connection: Connection, identity: str, model_id: str) -> tuple[ResultRow, ...]:
    names = connection.scalars(select(model.c.label_names).where(model.c.id == model_id)).one()
    labels: dict[int, list[LabelValue]] = {}
    for row in connection.execute(select(label).where(label.c.result_id == identity)):
        labels.setdefault(row.row, []).append(LabelValue(row.name, row.value, row.error, row.raw_error))
    query = (
        select(*columns_for(ResultRow, result_row)).where(result_row.c.result_id == identity).order_by(result_row.c.row)
    )
    return tuple(
        ResultRow(**as_fields(row), labels=in_order(labels.get(row.row, []), names))
        for row in connection.execute(query)
    )


def in_order(labels: Iterable[LabelValue], names: Sequence[str]) -> tuple[LabelValue, ...]:
    """Return labels in the order of `names`, those of other names last."""
    places = {name: place for place, name in enumerate(names)}
    return tuple(sorted(labels, key=lambda each: (places.get(each.name, len(places)), each.name)))


def _rows_of_stars(telescope: str, mjd: int, model_id: str, *, visits: bool) -> Select[Any]:
    newest = select(func.max(visit.c.mjd + 0)).where(visit.c.digest == spectrum.c.digest).scalar_subquery()
    seen = select(visit.c.digest).where(visit.c.mjd == mjd)
    query = (
        select(
            result.c.id.label("result_id"),
            spectrum.c.digest,
            spectrum.c.obj,
            spectrum.c.telescope,
            spectrum.c.apred,
            newest.label("newest"),
            spectrum.c.digest.in_(seen).label("of_night"),
            result_row.c.row,
            result_row.c.mjd,
            result_row.c.reduced_chi_sq,
            result_row.c.snr,
            label.c.name,
            label.c.value,
            label.c.raw_error,
        )
        .select_from(spectrum)
        .join(normalization, normalization.c.digest == spectrum.c.digest)
        .join(result, result.c.normalization_id == normalization.c.id)
        .join(result_row, result_row.c.result_id == result.c.id)
        .outerjoin(label, (label.c.result_id == result.c.id) & (label.c.row == result_row.c.row))
        # With nothing behind it: SQLite would else begin with all results of the model, and end with the night's few stars.
        .where(result.c.model_id.concat("") == model_id)
        .where(or_(spectrum.c.telescope == telescope, spectrum.c.telescope.is_(None)))
    )
    if visits:
        return query.where(spectrum.c.digest.in_(seen), result_row.c.mjd.is_not(None))
    stars = select(spectrum.c.obj).where(spectrum.c.digest.in_(seen))
    return query.where(spectrum.c.obj.in_(stars), result_row.c.mjd.is_(None))
