"""Which SDSS MJD a run is for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow.templated import Templated
from apogee_labels.apogee.archive.nights import observatory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

SCAN_SERVES = timedelta(minutes=1)
"""How long a scan of the archive serves the tasks of one run."""


def observing_mjd(context: Context | Mapping[str, Any], telescope: str) -> int:
    """Return the SDSS MJD of a run at `telescope`: its param ``mjd``, else the night that its data interval is.

    Raises
    ------
    AirflowFailException
        The run names no night: no param, and no data interval; or an interval that does not contain its logical date, as
        ``airflow dags trigger --logical-date`` makes it (that command takes the interval from the present moment).
    """
    if (mjd := context["params"].get("mjd")) is not None:
        return int(mjd)
    run = context["dag_run"]
    start, end = run.data_interval_start, run.data_interval_end
    if start is None or end is None:
        raise AirflowFailException(
            f"Run {run.run_id} has no data interval, so it names no night: start it with a logical date, or give the param "
            '"mjd", e.g. --conf \'{"mjd": 59281}\'.'
        )
    if run.logical_date is not None and not start <= run.logical_date < end:
        raise AirflowFailException(
            f"Run {run.run_id} is for {run.logical_date.isoformat()}, but its data interval {start.isoformat()} to "
            f"{end.isoformat()} is another night (as `airflow dags trigger --logical-date` makes it): start it from the UI "
            'or as a backfill, or give the param "mjd".'
        )
    return observatory(telescope).mjd_of_interval_start(start)


def night_end(telescope: str, mjd: int) -> datetime:
    """Return the moment (UTC) at which a night's MJD ends."""
    return observatory(telescope).interval(mjd)[1]


def scan_since(asked: Templated) -> datetime | None:
    """Return from when on a scan of the archive serves a task, given the moment of one that this run has seen, as text.

    None asks for a new one: there was none, or it is old, as when a task is cleared the next day.
    """
    moment = datetime.fromisoformat(asked) if asked not in (None, "", "None") else None
    return moment if moment and moment > datetime.now(UTC) - SCAN_SERVES else None


def is_backfill(context: Context | Mapping[str, Any]) -> bool:
    """Whether a run belongs to a backfill, which takes its own night only."""
    return bool(context["dag_run"].run_type == "backfill")


def is_scheduled(context: Context | Mapping[str, Any]) -> bool:
    """Whether the scheduler made a run, which also takes what came late for the nights before."""
    return bool(context["dag_run"].run_type == "scheduled")
