"""What the astronomy says of nights is what Airflow's side does with them."""

from __future__ import annotations

import pendulum
import pytest
from airflow.timetables.base import DataInterval
from airflow.utils.types import DagRunType

from apogee_airflow import ObservingNightTimetable
from apogee_labels.apogee.archive.nights import OBSERVATORIES, observatory
from apogee_labels.pipeline.nights.night_names import NightNames


@pytest.mark.parametrize("telescope", OBSERVATORIES)
def test_ids_of_runs_are_those_that_airflow_gives(telescope: str) -> None:
    site = observatory(telescope)
    for mjd in (59287, 59308, 59525):
        start, end = map(pendulum.instance, site.interval(mjd))
        interval = DataInterval(start, end)
        given = ObservingNightTimetable(telescope).generate_run_id(
            run_type=DagRunType.SCHEDULED, run_after=end, data_interval=interval
        )
        assert NightNames(site, mjd).scheduled_run == given
        assert NightNames(site, mjd).backfill_run == DagRunType.BACKFILL_JOB.generate_run_id(suffix=end.isoformat())
