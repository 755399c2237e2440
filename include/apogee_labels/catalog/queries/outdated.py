"""Which normalised spectra lack a result by a model, and when each night got its newest one.

Whether a result was made is asked by the parameters written beside it, as in
:mod:`apogee_labels.catalog.queries.file_status`: no digest
is computed for what has its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, cast, exists, func, select

from apogee_labels.catalog.db.columns import canonical_json
from apogee_labels.catalog.db.part import Part
from apogee_labels.catalog.db.schema import (
    archive_file,
    night_file,
    night_run,
    normalization,
    rejection,
    result,
    spectrum,
    visit,
)
from apogee_labels.catalog.queries.file_status import has_parameters, not_looked_up
from apogee_labels.catalog.queries.night_status import Night, widen_cache
from apogee_labels.catalog.records import FileState, ListedState, Stage


class Outdated(NamedTuple):
    """A normalised spectrum without the wanted result: its identity and its number of rows."""

    normalization_id: str
    n_rows: int


@dataclass(frozen=True, kw_only=True)
class WantedResults:
    """The results that every star of the archive is to have.

    Parameters
    ----------
    model_id
        The model.
    normalizations
        Parameters as they are written beside normalised spectra; those that were made with one of them count.
    inference
        Parameters of the results.
    reader_version
        The version of the reader whose rejections count.
    left_since
        What a night's run with the same model has listed as due after that moment, and not published yet, is left to it.
    """

    model_id: str
    normalizations: Sequence[Mapping[str, object]]
    inference: Mapping[str, object]
    reader_version: str
    left_since: datetime


class OutdatedResults(Part):
    """The catalogue's methods about results that are to be made for a model."""

    def count_outdated(self, wanted: WantedResults, *, before: datetime | None = None) -> int:
        """Return how many spectra lack their result, of those that were normalised before a moment (default: of all).

        Counted are spectra of contents that the archive's paths hold now.  One of which the product is lost, and whose
        content was not found when it was to be made anew, was rejected, and is not counted until it is scanned again.
        """
        query = _outdated(wanted)
        if before is not None:
            query = query.where(normalization.c.created < before)
        with self._database.read() as connection:
            widen_cache(connection)
            counted: int = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        return counted

    def outdated(self, wanted: WantedResults, first: str = "", end: str | None = None) -> list[Outdated]:
        """Return the spectra that :meth:`count_outdated` counts, by identity.

        Parameters
        ----------
        first, end
            Only identities from `first` on, and before `end`: the beginnings of identities will do.
        """
        query = _outdated(wanted).where(normalization.c.id >= first).order_by(normalization.c.id)
        if end is not None:
            query = query.where(normalization.c.id < end)
        with self._database.read() as connection:
            return [Outdated(*row) for row in connection.execute(query)]

    def newest_results(
        self, model_id: str, normalizations: Sequence[Mapping[str, object]]
    ) -> list[dict[Night, datetime]]:
        """Return when the newest result by a model was made of a content with a visit in each night.

        They are told apart by the parameters of the normalisation, in the order of `normalizations`.
        """
        parameters = cast(normalization.c.parameters, Text)
        query = (
            select(parameters, spectrum.c.telescope, visit.c.mjd, func.max(result.c.created))
            .select_from(result)
            .join(normalization, normalization.c.id == result.c.normalization_id)
            .join(spectrum, spectrum.c.digest == normalization.c.digest)
            .join(visit, visit.c.digest == spectrum.c.digest)
            .where(result.c.model_id == model_id, has_parameters(normalization.c.parameters, *normalizations))
            .where(spectrum.c.telescope.is_not(None))
            .group_by(parameters, spectrum.c.telescope, visit.c.mjd)
        )
        newest: dict[str, dict[Night, datetime]] = {canonical_json(each): {} for each in normalizations}
        with self._database.read() as connection:
            widen_cache(connection)
            for text, telescope, mjd, created in connection.execute(query):
                newest[text][Night(telescope, mjd)] = created
        return list(newest.values())


def _outdated(wanted: WantedResults) -> Select[Any]:
    return select(normalization.c.id, normalization.c.n_rows).where(
        has_parameters(normalization.c.parameters, *wanted.normalizations),
        ~_has_result(wanted),
        _is_there(wanted),
        ~_is_in_hand(wanted),
    )


def _has_result(wanted: WantedResults) -> ColumnElement[bool]:
    return exists().where(
        result.c.normalization_id == normalization.c.id,
        not_looked_up(result.c.model_id) == wanted.model_id,
        has_parameters(result.c.parameters, wanted.inference),
    )


def _is_there(wanted: WantedResults) -> ColumnElement[bool]:
    """Whether a path of the archive holds the content, as far as is known."""
    indexed = archive_file.alias("indexed")
    # Few, so that a database looks for them once; what was found at a path since its last scan holds until the next.
    lost = (
        select(indexed.c.path)
        .join(rejection, rejection.c.path == indexed.c.path)
        .where(rejection.c.stage == Stage.INFER, rejection.c.reader_version == wanted.reader_version)
        .where(rejection.c.created >= indexed.c.scanned_at)
    )
    return exists().where(
        archive_file.c.digest == normalization.c.digest,
        not_looked_up(archive_file.c.state) == FileState.PRESENT.value,
        archive_file.c.path.not_in(lost),
    )


def _is_in_hand(wanted: WantedResults) -> ColumnElement[bool]:
    """Whether a run over a night is about to make the result."""
    return exists().where(
        night_file.c.digest == normalization.c.digest,
        night_file.c.state == ListedState.DUE,
        night_run.c.telescope == night_file.c.telescope,
        night_run.c.mjd == night_file.c.mjd,
        night_run.c.run_id == night_file.c.run_id,
        night_run.c.model_id == wanted.model_id,
        night_run.c.published_at.is_(None),
        night_run.c.listed_at > wanted.left_since,
    )
