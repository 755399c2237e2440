"""The query behind the tables of labels: which result of a star is current, and a row for each spectrum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select

from apogee_labels.catalog.db.schema import archive_file, label, normalization, result, result_row, spectrum, visit

NEWEST_FIRST = (result.c.created.desc(), result.c.id.desc())


def current_results(model_ids: Sequence[str], contents: Select[Any], *, visits: bool) -> Select[Any]:
    """Return the identities of the stars' current results: of each content the newest with rows of that kind.

    Parameters
    ----------
    model_ids
        The models; each has its own current results.
    contents
        The digests in question (:func:`current_contents`).
    visits
        Results with rows of single visits, instead of a stack of them.
    """
    rank = (
        func.row_number()
        .over(partition_by=(result.c.model_id, normalization.c.digest), order_by=NEWEST_FIRST)
        .label("rank")
    )
    ranked = _results_of(model_ids, contents, visits=visits).add_columns(rank).subquery("ranked")
    return select(ranked.c.id).where(ranked.c.rank == 1)


def all_results(model_id: str, contents: Select[Any], *, visits: bool) -> Select[Any]:
    """Return the identities of all results of the contents by a model, for a choice that SQL cannot make."""
    return _results_of([model_id], contents, visits=visits).with_only_columns(result.c.id)


def by_star(results: Select[Any], *, collation: str | None = None) -> Select[Any]:
    """Return ``obj``, ``digest`` and ``id`` of `results`, star after star, in the order of their names' characters."""
    chosen = results.cte("chosen")
    obj = spectrum.c.obj if collation is None else spectrum.c.obj.collate(collation)
    return (
        select(spectrum.c.obj, spectrum.c.digest, result.c.id)
        .select_from(chosen)
        .join(result, result.c.id == chosen.c.id)
        .join(normalization, normalization.c.id == result.c.normalization_id)
        .join(spectrum, spectrum.c.digest == normalization.c.digest)
        .order_by(obj, result.c.id)
    )


def widths_of(columns: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
    """Return how many characters the longest text of each column has."""
    return select(*(func.max(func.length(column)).label(name) for name, column in columns.items()))


def these_results(identities: Sequence[str]) -> Select[Any]:
    """Return the results with those identities; a database takes some thousands of them in one query."""
    return select(result.c.id).where(result.c.id.in_(identities))


def rows_of(results: Select[Any], names: Sequence[str], *, visits: bool | None) -> Select[Any]:
    """Return a row for each spectrum of `results`: the star, the fit, and each label's value and errors.

    They are ``value_i``, ``error_i`` and ``raw_error_i`` of label i.

    Parameters
    ----------
    results
        Identities of results.
    names
        The labels, whose places count.
    visits
        Rows of visits, rows that are stacks, or all (``None``).
    """
    chosen = results.cte("chosen")
    query = (
        select(*_identity(), *_fit(), *_labels(names))
        .select_from(chosen)
        .join(result, result.c.id == chosen.c.id)
        .join(normalization, normalization.c.id == result.c.normalization_id)
        .join(spectrum, spectrum.c.digest == normalization.c.digest)
        .join(result_row, result_row.c.result_id == result.c.id)
    )
    return query if visits is None else query.where(_is_wanted(visits))


def current_contents(*, night: int | None = None, telescope: str | None = None, obj: str | None = None) -> Select[Any]:
    """Return the digests that the archive's paths hold now; a path that is gone keeps the one that it had last."""
    query = select(archive_file.c.digest).where(archive_file.c.digest.is_not(None))
    if obj is not None:
        query = query.where(archive_file.c.digest.in_(select(spectrum.c.digest).where(spectrum.c.obj == obj)))
    if telescope is not None:
        query = query.where(archive_file.c.telescope == telescope)
    if night is not None:
        query = query.where(archive_file.c.digest.in_(select(visit.c.digest).where(visit.c.mjd == night)))
    return query


def _results_of(model_ids: Sequence[str], contents: Select[Any], *, visits: bool) -> Select[Any]:
    return (
        select(result.c.id, normalization.c.digest)
        .join(normalization, normalization.c.id == result.c.normalization_id)
        .where(result.c.model_id.in_(model_ids), normalization.c.digest.in_(contents))
        .where(select(result_row.c.row).where(result_row.c.result_id == result.c.id, _is_wanted(visits)).exists())
    )


def _is_wanted(visits: bool) -> ColumnElement[bool]:
    """Return a row of a visit carries its MJD, a stack has none."""
    return result_row.c.mjd.is_not(None) if visits else result_row.c.mjd.is_(None)


def _labels(names: Sequence[str]) -> list[ColumnElement[Any]]:
    """Return the value and the errors of label i as ``value_i``, ``error_i`` and ``raw_error_i``.

    Each is looked up by its key, row by row.  Joined to the labels grouped by row, which reads better, SQLite compares each
    row with each: minutes for 50,000 stars.
    """
    of_row = (label.c.result_id == result_row.c.result_id) & (label.c.row == result_row.c.row)
    return [
        select(column).where(of_row, label.c.name == name).scalar_subquery().label(f"{column.name}_{place}")
        for place, name in enumerate(names)
        for column in (label.c.value, label.c.error, label.c.raw_error)
    ]


def _identity() -> list[ColumnElement[Any]]:
    # Added to nothing: PostgreSQL would else look for the largest MJD of all, from the top, until it meets this star's.
    newest = select(func.max(visit.c.mjd + 0)).where(visit.c.digest == spectrum.c.digest).scalar_subquery()
    return [
        spectrum.c.obj,
        spectrum.c.telescope,
        spectrum.c.release,
        spectrum.c.apred,
        spectrum.c.field,
        spectrum.c.healpix,
        func.coalesce(result_row.c.mjd, newest).label("mjd"),
        result_row.c.mjd.label("visit_mjd"),
        result_row.c.snr,
        case((result_row.c.mjd.is_(None), spectrum.c.n_visits), else_=1).label("n_visits"),
        spectrum.c.starflag.label("spectrum_flags"),
        spectrum.c.path,
    ]


def _fit() -> list[ColumnElement[Any]]:
    return [
        result_row.c.row,
        result_row.c.chi_sq.label("chi2"),
        result_row.c.reduced_chi_sq.label("rchi2"),
        result_row.c.unexplained,
        result_row.c.flags.label("result_flags"),
        result_row.c.converged,
        case((result_row.c.converged, 0), else_=1).label("ier"),
        result_row.c.n_iterations.label("nfev"),
        spectrum.c.digest.label("spectrum"),
        normalization.c.id.label("normalization"),
        result.c.model_id.label("model"),
        result.c.id.label("result"),
        (normalization.c.method_version + "." + result.c.method_version).label("v_apogee_cannon"),
        result.c.created,
    ]
