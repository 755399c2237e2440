"""The macros by themselves, and in the templates of a run of Airflow's."""

from __future__ import annotations

import doctest
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from apogee_airflow import macros
from tests.support.dag_runs import make_airflow_database

TEMPLATE = (
    "{{ macros.apogee_labels.sdss_mjd(data_interval_start, 'apo25m') }} "
    "{{ macros.apogee_labels.observing_date(59287, 'apo25m') }} "
    "{{ macros.apogee_labels.logical_date('59287', 'lco25m').isoformat() }} "
    "{{ macros.apogee_labels.mjd_of_evening('2021-03-13', 'apo25m') }}"
)

DAG_FILE = """
from datetime import UTC, datetime
from pathlib import Path
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from apogee_airflow import ObservingNightTimetable

schedule = ObservingNightTimetable("apo25m")
with DAG("with_macros", schedule=schedule, start_date=datetime(2021, 1, 1, tzinfo=UTC)) as dag:
    PythonOperator(task_id="render", python_callable=Path("{result}").write_text, op_args=[{template!r}])
"""


def test_the_examples_are_true() -> None:
    assert doctest.testmod(macros) == doctest.TestResults(failed=0, attempted=5)


def test_an_evening_is_a_date_or_its_text() -> None:
    assert macros.mjd_of_evening(date(2021, 3, 13), "lco25m") == macros.mjd_of_evening("2021-03-13", "lco25m") == 59287


def test_a_telescope_that_is_not_known_is_said() -> None:
    with pytest.raises(ValueError, match="expected apo25m or lco25m"):
        macros.observing_date(59280, "keck")


@pytest.mark.airflow
@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_templates_of_a_run_find_them(tmp_path: Path) -> None:
    """In the night in which APO's clocks go forward, by the project's timetable."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    make_airflow_database()
    DagBundlesManager().sync_bundles_to_db()
    (tmp_path / "with_macros.py").write_text(DAG_FILE.format(template=TEMPLATE, result=tmp_path / "result"))
    bag = DagBag(dag_folder=str(tmp_path), bundle_name="dags-folder")
    sync_bag_to_db(bag, "dags-folder", None)
    run = bag.dags["with_macros"].test(logical_date=datetime(2021, 3, 14, 9, tzinfo=UTC))
    assert run.state == "success"
    assert (tmp_path / "result").read_text() == "59287 2021-03-13 2021-03-13T14:24:00+00:00 59287"
