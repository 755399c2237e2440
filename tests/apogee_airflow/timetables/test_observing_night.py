"""One run is one SDSS MJD, however the run comes about."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.utils.types import DagRunType

from apogee_airflow.timetables.observing_night import ObservingNightTimetable

APO = ObservingNightTimetable("apo25m")
LCO = ObservingNightTimetable("lco25m")


def utc(text: str) -> pendulum.DateTime:
    moment = pendulum.parse(text, tz="UTC")
    assert isinstance(moment, pendulum.DateTime)
    return moment


@pytest.mark.parametrize(
    ("timetable", "moment", "start"),
    [
        (APO, "2021-03-08T03:00", "2021-03-07T16:48"),  # in the night
        (APO, "2021-03-08T16:48", "2021-03-08T16:48"),  # at the turn: the night that begins
        (APO, "2021-03-08T16:47:59", "2021-03-07T16:48"),
        (LCO, "2021-03-08T14:24", "2021-03-08T14:24"),
        (LCO, "2021-03-08T14:23:59", "2021-03-07T14:24"),
    ],
)
def test_a_manual_run_gets_the_night_that_contains_it(
    timetable: ObservingNightTimetable, moment: str, start: str
) -> None:
    interval = timetable.infer_manual_data_interval(run_after=utc(moment))
    assert interval == DataInterval(utc(start), utc(start).add(days=1))


def test_the_interval_is_one_mjd_by_sdss_own_formula() -> None:
    """`int(MJD_UTC + 0.3)` at APO and 0.4 at LCO, away from the seams, over two years with their leap day."""
    epoch = utc("1858-11-17")
    for timetable, shift in ((APO, 0.3), (LCO, 0.4)):
        for day in range(730):
            moment = utc("2023-06-01T05:00").add(days=day)
            interval = timetable.infer_manual_data_interval(run_after=moment)
            mjd_utc = (moment - epoch).total_seconds() / 86400
            assert timetable.observatory.mjd_of_interval_start(interval.start) == int(mjd_utc + shift)


def test_scheduled_runs_follow_each_other_without_a_gap_through_daylight_saving() -> None:
    info, restriction = None, TimeRestriction(utc("2021-03-10"), None, True)
    starts = []
    for _ in range(10):
        info = APO.next_dagrun_info(
            last_automated_data_interval=info.data_interval if info else None, restriction=restriction
        )
        assert info is not None
        starts.append(info.data_interval.start)
        assert info.data_interval.end - info.data_interval.start == timedelta(days=1)
    assert starts[0] == utc("2021-03-10T16:48")
    assert [b - a for a, b in pairwise(starts)] == [timedelta(days=1)] * 9


def test_the_first_night_bounds_the_scheduler_and_not_a_backfill() -> None:
    timetable = ObservingNightTimetable("apo25m", date(2021, 3, 7))
    survey = utc("2011-04-01")
    scheduled = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(survey, None, True)
    )
    backfilled = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(utc("2015-01-01"), utc("2015-01-05"), True)
    )
    assert scheduled is not None
    assert scheduled.data_interval.start == utc("2021-03-07T16:48")
    assert backfilled is not None
    assert backfilled.data_interval.start == utc("2015-01-01T16:48")


def test_run_ids_carry_the_evening_and_the_mjd() -> None:
    interval = DataInterval(utc("2021-03-07T16:48"), utc("2021-03-08T16:48"))
    scheduled = APO.generate_run_id(run_type=DagRunType.SCHEDULED, run_after=interval.end, data_interval=interval)
    manual = [
        APO.generate_run_id(run_type=DagRunType.MANUAL, run_after=utc(when), data_interval=interval)
        for when in ("2021-03-09", "2021-03-10")
    ]
    assert scheduled == "scheduled__2021-03-07_mjd59281"
    assert all("2021-03-07_mjd59281" in run_id for run_id in manual)
    assert len(set(manual)) == 2, "a night may be run by hand more than once"


@pytest.mark.parametrize("first", [None, date(2021, 3, 7)])
def test_it_survives_serialisation(first: date | None) -> None:
    timetable = ObservingNightTimetable("lco25m", first)
    again = ObservingNightTimetable.deserialize(timetable.serialize())
    assert again.serialize() == timetable.serialize()
    assert again.summary == timetable.summary


def test_an_unknown_telescope_is_refused() -> None:
    with pytest.raises(ValueError, match="apo25m"):
        ObservingNightTimetable("keck")
