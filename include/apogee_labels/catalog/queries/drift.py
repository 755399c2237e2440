"""What a night's stars and what earlier nights say about whether a night is like the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, or_, select

from apogee_labels.catalog.db.part import Part
from apogee_labels.catalog.db.schema import label, night_run, normalization, result, result_row, spectrum, visit

RUNS_A_NIGHT = 4
"""So many runs of a night are read for each night that is asked for: runs that are repeated more often hide older nights."""


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


class Drifts(Part):
    """The catalogue's methods about how a night compares."""

    def spectra_of_stars(self, telescope: str, mjd: int, model_id: str, *, visits: bool) -> list[FittedSpectrum]:
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

    def summaries_before(
        self, telescope: str, mjd: int, model_id: str, number: int
    ) -> list[tuple[int, Mapping[str, Any]]]:
        """Return the MJDs and summaries of the last `number` nights before one that runs of a model have published.

        Newest first; of several runs of a night the one that published last comes first, and all of them are there.
        """
        query = (
            select(night_run.c.mjd, night_run.c.summary)
            .where(night_run.c.telescope == telescope, night_run.c.mjd < mjd, night_run.c.model_id == model_id)
            .where(night_run.c.published_at.is_not(None))
            .order_by(night_run.c.mjd.desc(), night_run.c.published_at.desc())
            .limit(RUNS_A_NIGHT * number)
        )
        with self._database.read() as connection:
            return [(found.mjd, found.summary or {}) for found in connection.execute(query)]


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
