"""Every DAG loads, lightly, and is wired as ARCHITECTURE.md says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from apogee_airflow.assets import MODEL_IN_FORCE, OUTDATED_RESULTS
from apogee_airflow.pools import REANALYSIS_POOL
from apogee_airflow.priorities import REANALYSIS_WEIGHT

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dagbag() -> DagBag:
    return DagBag(dag_folder=str(ROOT / "dags"))


def test_every_dag_loads(dagbag: DagBag) -> None:
    assert dagbag.import_errors == {}
    assert set(dagbag.dags) == {
        "apogee_folder",
        "apogee_nightly_apo25m",
        "apogee_nightly_lco25m",
        "apogee_retention",
        "apogee_stars",
        "apogee_summary",
        "cannon_reanalysis",
        "cannon_model_in_force",
        "cannon_training",
        "cannon_training_set",
    }


def test_they_serialise_and_come_back_with_their_timetable(dagbag: DagBag) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dagbag.dags.values():
        again = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        assert type(again.timetable).__name__ == type(dag.timetable).__name__


def test_the_way_of_a_night(dagbag: DagBag) -> None:
    for telescope in ("apo25m", "lco25m"):
        dag = dagbag.dags[f"apogee_nightly_{telescope}"]
        assert dag.get_task("list_apstars").upstream_task_ids == {"pin_model"}
        assert dag.get_task("pin_model").upstream_task_ids == {"fetch_apstars"}
        assert "normalize" in dag.get_task("infer").upstream_task_ids
        assert dag.get_task("publish_night").trigger_rule == "all_done"
        assert {task.task_id for task in dag.leaves} == {"publish_night", "listed", "fetched"}


def test_the_way_of_a_reanalysis(dagbag: DagBag) -> None:
    dag = dagbag.dags["cannon_reanalysis"]
    assert dag.get_task("plan_reanalysis").upstream_task_ids == {"pin_model"}
    reanalyse, publish = dag.get_task("reanalyse"), dag.get_task("publish_tables")
    assert "plan_reanalysis" in reanalyse.upstream_task_ids
    assert "reanalyse" in publish.upstream_task_ids
    assert (publish.trigger_rule, dag.max_active_runs) == ("all_done", 1)
    assert {task.priority_weight for task in dag.tasks} == {REANALYSIS_WEIGHT}
    assert reanalyse.partial_kwargs["pool"] == REANALYSIS_POOL
    awaited = {asset.name for asset in dag.timetable.asset_condition.objects}
    assert awaited == {MODEL_IN_FORCE.name, OUTDATED_RESULTS.name}


def test_every_task_and_dag_is_documented(dagbag: DagBag) -> None:
    for dag in dagbag.dags.values():
        assert dag.doc_md
        assert all(type(task).__doc__ for task in dag.tasks)


def test_parsing_imports_nothing_heavy() -> None:
    """Every task parses its DAG file again, and the scheduler its plugins: numpy alone would double the cost."""
    code = (
        "import sys, json; from airflow.dag_processing.dagbag import DagBag;"
        "import logging; before = set(sys.modules);"
        f"bag = DagBag(dag_folder={str(ROOT / 'dags')!r});"
        "heavy = {'numpy', 'scipy', 'astropy', 'sdss_access', 'plotly', 'matplotlib', 'pandas'};"
        "print(json.dumps([sorted(bag.import_errors), sorted(heavy & (set(sys.modules) - before))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [[], []]


def test_the_forms_default_to_the_settings(dagbag: DagBag) -> None:
    params = dagbag.dags["cannon_training"].params
    assert params["label_names"] == ["TEFF", "LOGG", "FE_H"]
    assert params["order"] == 2
