"""The tables that new results make out of date: that of all stars, and those of nights which are there.

Takes a model; a table is up to date when it is by the model and no result for it came after it was written, or when there is
none; makes it anew.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from apogee_labels.catalog.records import Night
from apogee_labels.core.identity import short
from apogee_labels.core.progress import with_progress
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.nights.publish import write_night_table
from apogee_labels.pipeline.products.summary import publish_summary

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

_NIGHT = re.compile(r"apogeeNight(?P<visits>Visits)?-(?P<telescope>\w+)-(?P<mjd>\d+)\.fits")


class NightTable(NamedTuple):
    """The table of a night that is on disk."""

    path: Path
    night: Night
    visits: bool


class Republished(NamedTuple):
    """How many tables of all stars and of nights were looked at, and how many of them had another content than before."""

    n_summaries: int
    n_nights: int
    n_written: int


def republish(workspace: Workspace, model_id: str, regions: Path, *, since: datetime) -> Republished:
    """Bring tables up to date with the results by a model.

    Parameters
    ----------
    workspace
        The installation.
    model_id
        Identity of the model.  A night's table that is by a model which came into force later stays so.
    regions
        The continuum regions of the nightly DAGs.
    since
        Nights that got a result after this moment are looked at in any case: a table that was read before and written after
        a result came looks newer than it is.
    """
    kinds = {visits: ResultIdentities.nightly(regions, visits=visits) for visits in (False, True)}
    found = workspace.catalog.states.newest_results(model_id, [kind.normalization for kind in kinds.values()])
    newest = dict(zip(kinds, found, strict=True))
    summaries = []
    if any(
        _is_older(workspace.summary_path(model_id, visits=visits), _last(newest[visits]), since) for visits in kinds
    ):
        summaries = publish_summary(workspace, model_id, regions=regions)
    stale = [table for table in night_tables(workspace) if _is_stale(table, model_id, newest[table.visits], since)]
    n_written = sum(product.written for product in summaries) + _rewrite(workspace, stale, model_id, kinds)
    return Republished(len(summaries), len(stale), n_written)


def night_tables(workspace: Workspace) -> Iterator[NightTable]:
    """Yield the tables of nights that are on disk, by telescope and name."""
    for path in sorted((workspace.settings.data_dir / "nights").glob("*/apogeeNight*.fits")):
        if found := _NIGHT.fullmatch(path.name):
            yield NightTable(path, Night(found["telescope"], int(found["mjd"])), found["visits"] is not None)


def _last(newest: Mapping[Night, datetime]) -> datetime | None:
    return max(newest.values(), default=None)


def _is_stale(table: NightTable, model_id: str, newest: Mapping[Night, datetime], since: datetime) -> bool:
    """Whether a night's table is to be made anew; one of whose stars none has a result by the model stays as it is."""
    last = newest.get(table.night)
    return last is not None and (_is_older(table.path, last, since) or _model_of(table.path) != model_id)


def _is_older(path: Path, last: datetime | None, since: datetime) -> bool:
    """Whether a result that came last may not be in a table; also where the table is not there."""
    if last is None or last >= since:
        return last is not None
    try:
        return last >= datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return True


def _model_of(path: Path) -> object:
    from apogee_labels.fits.table_files import kept_header

    header = kept_header(path)
    return header.get("MODEL") if header else None


def _rewrite(
    workspace: Workspace, tables: list[NightTable], model_id: str, kinds: Mapping[bool, ResultIdentities]
) -> int:
    """Write tables of nights; how many had another content."""
    what = f"nights whose tables are by model {short(model_id)} now"
    return sum(
        write_night_table(workspace, *table.night, model_id, kinds[table.visits]).written
        for table in with_progress(tables, len(tables), what, log)
    )
