"""One run is one night: the timetable whose data interval is exactly one SDSS MJD at a telescope."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from apogee_labels.apogee.archive.nights import observatory

if TYPE_CHECKING:
    from airflow.utils.types import DagRunType
    from pendulum import DateTime


class ObservingNightTimetable(CronDataIntervalTimetable):
    """Daily intervals that turn when SDSS counts a new MJD: 16:48 UTC at APO, 14:24 UTC at LCO.

    Parameters
    ----------
    telescope
        ``apo25m`` or ``lco25m``.
    first_night
        Evening (local date) from which the scheduler catches up; None leaves that to the DAG's start date.  It does not
        limit backfills, nor runs that a person starts.

    Notes
    -----
    It differs from the stock timetable in three ways.  A run that is started by hand for a moment gets the interval that
    *contains* the moment: the stock one gives the night before it, which then blocks the backfill of another night.  Run
    ids carry the MJD.  And the first night is a setting, while the DAG's start date is the survey's: Airflow makes no
    tasks for a manual run before the start date, and such a run would be an empty success.
    """

    def __init__(self, telescope: str, first_night: date | None = None) -> None:
        self.observatory = observatory(telescope)
        self.first_night = first_night
        minutes = self.observatory.day_turn // timedelta(minutes=1)
        super().__init__(f"{minutes % 60} {minutes // 60} * * *", "UTC")
        self.description = (
            f"One SDSS MJD at {self.observatory.name}, which turns at {minutes // 60}:{minutes % 60:02d} UTC"
        )

    def serialize(self) -> dict[str, Any]:
        """Return what the constructor takes, as JSON."""
        first = self.first_night.isoformat() if self.first_night else None
        return {"telescope": self.observatory.telescope, "first_night": first}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ObservingNightTimetable:
        """Rebuild what :meth:`serialize` wrote."""
        first = date.fromisoformat(data["first_night"]) if data["first_night"] else None
        return cls(data["telescope"], first)

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the night that contains `run_after`: for a run at noon UTC, the night that ended that morning."""
        start = self._align_to_prev(run_after)
        return DataInterval(start=start, end=self._get_next(start))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the night after the last one, not before the first night when it is the scheduler that asks.

        Airflow asks the same question for a backfill, and then always names the latest date; for the scheduler there is
        none, because the DAG has no end date.
        """
        if self.first_night is not None and restriction.latest is None:
            restriction = restriction._replace(earliest=self._not_before_first_night(restriction.earliest))
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )

    def generate_run_id(
        self, *, run_type: DagRunType, run_after: DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """Return e.g. ``scheduled__2021-03-08_mjd59281``, with the time of the request where a person asked.

        Airflow names backfill runs by itself, after the end of their interval.
        """
        if data_interval is None:
            return super().generate_run_id(run_type=run_type, run_after=run_after, data_interval=None, **extra)
        mjd = self.observatory.mjd_of_interval_start(data_interval.start)
        night = f"{self.observatory.local_date(mjd)}_mjd{mjd}"
        asked = "" if run_type == "scheduled" else f"_{run_after.isoformat()}"
        return run_type.generate_run_id(suffix=night + asked)

    def _not_before_first_night(self, earliest: DateTime | None) -> DateTime:
        import pendulum

        assert self.first_night is not None  # noqa: S101 - checked by the only caller
        start, _ = self.observatory.interval(self.observatory.mjd_of_local_date(self.first_night))
        first = pendulum.instance(start)
        return max(first, earliest) if earliest else first
