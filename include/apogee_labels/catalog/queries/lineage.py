"""From a value in the catalogue to all that made it: one statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import CatalogError
from apogee_labels.catalog.db.rows import Subject
from apogee_labels.catalog.queries.current import NEWEST_FIRST, current_contents
from apogee_labels.catalog.queries.results import in_order
from apogee_labels.catalog.records import (
    FileState,
    InForce,
    LabelValue,
    ModelRecord,
    NormalizationRecord,
    ResultRecord,
    ResultRow,
    SpectrumRecord,
    VerdictRecord,
    VisitRecord,
)
from apogee_labels.core.identity import SHORT

T = TypeVar("T")
BEGINNING = re.compile(rf"[0-9a-f]{{{SHORT},64}}")
"""The identity of a result, or the beginning of it that people are shown."""

_HOLDER = schema.archive_file.alias("holder")
_THERE = schema.archive_file.alias("there")
_LATER = schema.in_force.alias("later")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """A result and all that made it.

    Attributes
    ----------
    spectrum
        The content of the apStar file, with its visits and the path at which it was first seen.
    held_by
        A path of the archive that holds this content now; None: it is nowhere any more.
    there_now
        Digest of what that first path holds now; None: nothing that is known.
    verdict, in_force
        What was decided about the model, and when it was last put in force; None: nothing, never.
    """

    result: ResultRecord
    normalization: NormalizationRecord
    spectrum: SpectrumRecord
    held_by: str | None
    there_now: str | None
    model: ModelRecord
    verdict: VerdictRecord | None
    in_force: InForce | None


class Lineages(Subject):
    """Where a value comes from."""

    def of_result(self, result: str) -> Lineage | None:
        """Return a result with all that made it, in one statement; None where there is no such result.

        Parameters
        ----------
        result
            Its identity, or the first 12 characters of it: the column ``result`` of every table of labels.

        Raises
        ------
        CatalogError
            `result` is no identity, or the beginning of several.
        """
        if not BEGINNING.fullmatch(result):
            raise CatalogError(
                f"expected the identity of a result (64 hexadecimal characters, or the first {SHORT} or more of them: "
                f"column `result` of every table of labels), got {result!r}."
            )
        identity = schema.result.c.id
        # As a range, which an index serves in every database: "g" comes after all that can follow.
        chosen = identity == result if len(result) == 64 else identity.between(result, f"{result}g")
        found = self._lineages(chosen)
        if len(found) > 1:
            raise CatalogError(f"{len(found)} results begin with {result}: give more of the identity.")
        return found[0] if found else None

    def of_star(self, obj: str) -> list[Lineage]:
        """Return the current results of a star by each model, stacks and visits, those of the newest model first.

        The current result by a model is the newest of the content that the star's path holds now.
        """
        newest: dict[tuple[str, str, bool], Lineage] = {}
        # The contents by themselves: PostgreSQL, asked for both at once, reads all results.
        with self._database.read() as connection:
            contents = connection.scalars(current_contents(obj=obj)).all()
        for each in self._lineages(schema.normalization.c.digest.in_(contents)):
            is_stack = each.result.rows[0].mjd is None
            newest.setdefault((each.model.id, each.spectrum.digest, is_stack), each)
        return sorted(
            newest.values(), key=lambda each: (each.model.created, each.result.created, each.result.id), reverse=True
        )

    def _lineages(self, chosen: ColumnElement[bool]) -> list[Lineage]:
        with self._database.read() as connection:
            found = connection.execute(_statement(chosen)).all()
        of_result: dict[str, list[Row[Any]]] = {}
        for row in found:
            of_result.setdefault(row.result__id, []).append(row)
        return [_lineage(rows) for rows in of_result.values()]


def _statement(chosen: ColumnElement[bool]) -> Select[Any]:
    """A row for each label of each row of the results and each visit that took part in it."""
    result, normalization, spectrum, model = schema.result, schema.normalization, schema.spectrum, schema.model
    line, label, visit, in_force = schema.result_row, schema.label, schema.visit, schema.in_force
    last = select(func.max(_LATER.c.id)).where(_LATER.c.model_id == model.c.id).scalar_subquery()
    until = (
        select(func.min(_LATER.c.since))
        .where(_LATER.c.name == in_force.c.name, _LATER.c.id > in_force.c.id)
        .scalar_subquery()
    )
    held_by = (
        select(func.min(_HOLDER.c.path))
        .where(_HOLDER.c.digest == spectrum.c.digest, _HOLDER.c.state != FileState.GONE)
        .scalar_subquery()
    )
    there_now = select(_THERE.c.digest).where(_THERE.c.path == spectrum.c.path).scalar_subquery()
    tables = (result, normalization, spectrum, model, schema.verdict, in_force, line, label, visit)
    columns = [column.label(f"{table.name}__{column.name}") for table in tables for column in table.c]
    of_row = and_(label.c.result_id == line.c.result_id, label.c.row == line.c.row)
    took_part = and_(visit.c.digest == spectrum.c.digest, or_(line.c.mjd.is_(None), visit.c.mjd == line.c.mjd))
    return (
        select(*columns, until.label("until"), held_by.label("held_by"), there_now.label("there_now"))
        .select_from(result)
        .join(normalization, normalization.c.id == result.c.normalization_id)
        .join(spectrum, spectrum.c.digest == normalization.c.digest)
        .join(model, model.c.id == result.c.model_id)
        .join(line, line.c.result_id == result.c.id)
        .outerjoin(schema.verdict, schema.verdict.c.identity == model.c.id)
        .outerjoin(in_force, in_force.c.id == last)
        .outerjoin(label, of_row)
        .outerjoin(visit, took_part)
        .where(chosen)
        .order_by(*NEWEST_FIRST, line.c.row, visit.c.number)
    )


def _lineage(rows: Sequence[Row[Any]]) -> Lineage:
    first = rows[0]
    names = first.model__label_names
    visits = {row.visit__number: _record(VisitRecord, row, "visit") for row in rows if row.visit__number is not None}
    lines = {row.result_row__row: row for row in rows}
    labels: dict[int, dict[str, LabelValue]] = {}
    for row in rows:
        if row.label__name is not None:
            value = LabelValue(row.label__name, row.label__value, row.label__error, row.label__raw_error)
            labels.setdefault(row.label__row, {})[row.label__name] = value
    result_rows = tuple(
        _record(ResultRow, row, "result_row", labels=in_order(labels.get(number, {}).values(), names))
        for number, row in sorted(lines.items())
    )
    return Lineage(
        result=_record(ResultRecord, first, "result", rows=result_rows),
        normalization=_record(NormalizationRecord, first, "normalization"),
        spectrum=_record(SpectrumRecord, first, "spectrum", visits=tuple(visits[number] for number in sorted(visits))),
        held_by=first.held_by,
        there_now=first.there_now,
        model=_record(ModelRecord, first, "model"),
        verdict=_record(VerdictRecord, first, "verdict") if first.verdict__identity else None,
        in_force=_record(InForce, first, "in_force", until=first.until) if first.in_force__id else None,
    )


def _record(kind: type[T], row: Row[Any], table: str, **extra: Any) -> T:
    """Return the record of one table's columns."""
    names = [item.name for item in fields(kind) if item.name not in extra]  # type: ignore[arg-type]
    return kind(**{name: row._mapping[f"{table}__{name}"] for name in names}, **extra)
