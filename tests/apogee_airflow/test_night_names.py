"""What the astronomy says of nights is what Airflow's side does with them."""

from __future__ import annotations

import pendulum
import pytest
from airflow.timetables.base import DataInterval
from airflow.utils.types import DagRunType

from apogee_airflow import ListApStarsOperator, ObservingNightTimetable, PublishNightOperator
from apogee_labels.apogee.archive.nights import OBSERVATORIES, observatory
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.identities import ResultIdentities
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


def test_done_is_by_the_parameters_of_the_nightly_dags(installation: Settings) -> None:
    regions = str(installation.continuum_regions)
    for operator in (ListApStarsOperator, PublishNightOperator):
        task = operator(task_id="t", telescope="apo25m", model_id="", continuum_regions_path=regions)
        assert task.identities() == ResultIdentities.nightly(installation.continuum_regions)
