"""A backfill does not starve a night; what has a deadline, and what not: by Airflow's own scheduler and database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apogee_airflow.pools import BACKFILL_POOL, FILES_POOL, REANALYSIS_POOL
from apogee_airflow.priorities import REANALYSIS_WEIGHT, WEIGHTS, place
from apogee_local.environment import Installation
from apogee_local.processes import make_database

PROBE = Path(__file__).resolve().parents[1] / "support" / "scheduler_probe.py"
SLOTS = 4


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the scheduler does in the environment of `make run`, with four slots; see the probe."""
    folder = tmp_path_factory.mktemp("scheduler")
    environment = Installation(folder / "home", folder / "data").environment(
        notify="night@example.org", night_deadline_hours="20"
    )
    assert environment["AIRFLOW__CORE__PARALLELISM"] == str(SLOTS)
    make_database(environment)
    done = subprocess.run([sys.executable, PROBE], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.slow
@pytest.mark.airflow
class TestScheduler:
    def test_a_backfill_never_has_more_than_its_slots(self, answers: dict[str, Any]) -> None:
        assert answers["precedence"]["backfill alone"] == [{"backfill": 2}, {}], "400 instances wait"

    def test_a_night_starts_beside_a_full_backfill(self, answers: dict[str, Any]) -> None:
        """Ten runs of the backfill go on, two wait for their turn; the night's is none of them."""
        assert answers["precedence"]["runs"] == {"backfill running": 10, "backfill queued": 2, "scheduled running": 1}
        assert answers["precedence"]["night comes"].keys() == {"scheduled"}

    def test_a_night_goes_first_although_its_date_is_later(self, answers: dict[str, Any]) -> None:
        assert answers["precedence"]["both wait"] == [{"scheduled": 1}, {"scheduled": 2}]

    def test_every_instance_is_where_it_belongs(self, answers: dict[str, Any]) -> None:
        found = answers["precedence"]["instances"]
        assert found["backfill"] == [[BACKFILL_POOL, 0]]
        assert found["scheduled"] == [[FILES_POOL, 100], ["default_pool", 100]]

    def test_a_night_that_a_backfill_runs_again_is_the_backfill_s(self, answers: dict[str, Any]) -> None:
        again = answers["reprocessing"]
        assert again["before"] != [[BACKFILL_POOL, 0]], "Airflow does it now: the listener can go"
        assert again["after"] == [[BACKFILL_POOL, 0]]

    def test_nights_have_a_deadline_unless_a_backfill_runs_them(self, answers: dict[str, Any]) -> None:
        """That the probe came to its end shows that a run with a deadline can be cleared (apache/airflow#70368)."""
        assert answers["deadlines"]["has one"] == {
            "backfill backfill": False,
            "backfill scheduled": True,  # it had one before the backfill; the message is held back when it is due
            "scheduled scheduled": True,
            "manual manual": True,
        }
        assert {round(hours, 3) for hours in answers["deadlines"]["hours"]} == {20.0}

    def test_a_reanalysis_is_woken_by_time_by_a_night_and_by_a_model(self, answers: dict[str, Any]) -> None:
        """Also by what came while one went on, and then once: the event of a night is by an alias."""
        found = answers["reanalysis"]
        assert found["by time"] == ["scheduled"]
        assert found["by a night"] == found["while a run goes on"] == ["scheduled", "asset_triggered"]
        assert found["afterwards"] == found["in the end"] == ["scheduled", "asset_triggered", "asset_triggered"]
        assert found["events"] == [0, 1, 2]

    def test_a_reanalysis_comes_last_and_its_batches_have_a_pool(self, answers: dict[str, Any]) -> None:
        assert {weight for _, _, weight in answers["reanalysis"]["instances"]} == {REANALYSIS_WEIGHT}
        assert min(WEIGHTS.values()) > REANALYSIS_WEIGHT
        assert ["reanalyse", REANALYSIS_POOL, REANALYSIS_WEIGHT] in answers["reanalysis"]["instances"]


@pytest.mark.parametrize(
    ("dag_id", "run_type", "expected"),
    [
        ("apogee_nightly_apo25m", "scheduled", ("a_pool", 100)),
        ("apogee_nightly_apo25m", "manual", ("a_pool", 20)),
        ("apogee_nightly_lco25m", "backfill", (BACKFILL_POOL, 0)),
        ("apogee_nightly_lco25m", "asset_triggered", ("a_pool", 7)),
        ("another_dag", "backfill", ("a_pool", 7)),
    ],
)
def test_place_is_by_the_kind_of_run_and_for_our_nights_only(
    dag_id: str, run_type: str, expected: tuple[str, int]
) -> None:
    item: Any = SimpleNamespace(pool="a_pool", priority_weight=7)
    run: Any = SimpleNamespace(dag_id=dag_id, run_type=run_type)
    for _ in range(2):
        place(item, run)
        assert (item.pool, item.priority_weight) == expected
