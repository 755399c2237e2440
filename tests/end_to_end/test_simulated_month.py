"""Weeks of the real observing log through a real Airflow: late, rewritten, damaged and growing files, and crashes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from apogee_labels.apogee.archive.nights import OBSERVATORIES
from apogee_labels.catalog import Catalog
from apogee_labels.core.settings import PROJECT_ROOT, Settings
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models.acceptance import accept_model
from apogee_labels.pipeline.models.train import train_model
from apogee_labels.pipeline.workspace import Workspace
from apogee_local.environment import USER, Installation
from apogee_local.processes import airflow_processes, make_database, wait_until_healthy
from apogee_local.rest import AirflowRest
from tests.end_to_end.conftest import free_port
from tests.support import month_audit
from tests.support.airflow_month import DAGS, QUICK, Nightly
from tests.support.month import APO, FIRST, LCO, NIGHTS, SOUTHERN, Month, observatory_of, recent_nights
from tests.support.observatory import APRED, RELEASE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.shared,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("default"),  # sdss_access warns of a release that it knows by another name
]
TRAINING_STARS = 300


@pytest.fixture(scope="module")
def lived(make_nights: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Month, Nightly]]:
    """A month, lived to its end; Airflow still runs."""
    folder, recent = tmp_path_factory.mktemp("month"), recent_nights()
    installation = Installation(folder / "home", folder / "data", free_port())
    environment = installation.environment(
        release=RELEASE, apred=APRED, start_date=OBSERVATORIES[APO].local_date(recent[0]).isoformat()
    )
    environment |= {**QUICK, "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "tests" / "support" / "small_dags")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAS_BASE_DIR", str(installation.data_dir / "sas"))  # make_nights.py sets it as well
        model = put_model(installation.data_dir, make_nights)
        month = Month(observatory_of(make_nights, installation.data_dir / "sas", recent), recent, model)
        month.prepare()
        make_database(environment)
        started = time.monotonic()
        with airflow_processes(environment) as processes:
            wait_until_healthy(processes, installation.url)
            with AirflowRest(installation.url, USER, installation.password) as rest:
                nightly = Nightly(rest, processes, installation.data_dir / "catalog.db")
                nightly.until(
                    "the DAGs are there",
                    lambda: {dag["dag_id"] for dag in rest.get("dags")["dags"]} >= {*DAGS.values()},
                )
                month.live(nightly)
                sys.stdout.write(
                    f"a month of {len(month.observatory.ledger)} contents in {time.monotonic() - started:.0f} s\n"
                )
                yield month, nightly


def put_model(data_dir: Path, make_nights: ModuleType) -> str:
    """Train a model on realistic stars, and put it in force."""
    settings = Settings(data_dir=data_dir, release=RELEASE, apred=APRED)
    data_dir.mkdir(parents=True)
    make_nights.make_training_set(settings.training_set, TRAINING_STARS, seed=1)
    with Workspace.open(settings) as workspace:
        identity = train_model(workspace, settings.training_set, TrainingParameters(label_names=settings.label_names))
        accept_model(workspace, identity, "test")
    return identity


def test_every_content_that_settled_has_one_result_or_one_rejection(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    assert month_audit.without_one_outcome(nightly, month.observatory, month.model) == []


def test_nothing_is_recorded_twice_and_work_done_twice_is_counted(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    assert month_audit.recorded_twice(nightly) == []
    assert month_audit.lost_products(nightly) == set()
    twice = month_audit.duplicates(nightly)
    sys.stdout.write(f"{len(month.observatory.ledger)} contents, made twice: {twice}\n")  # pytest -rP
    stars = len(month.observatory.stars(LCO, SOUTHERN[0]))
    assert min(twice["normalization"], twice["result"]) >= stars, "one night was done again on purpose"


def test_no_file_is_taken_while_it_is_being_written(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    assert month_audit.never_written(nightly, month.observatory) == set()


def test_the_current_result_of_a_star_is_that_of_its_newest_content(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    with Catalog.open(f"sqlite:///{nightly.catalog}") as catalog:
        labels = catalog.labels()
    current = dict(zip(labels["obj"], labels["spectrum"], strict=True))
    assert len(current) == len(labels)
    assert current == month_audit.current_stars(month.observatory)
    assert month.fates["gone"].obj in current, "a file that disappeared leaves its result"


def test_the_history_of_a_star_keeps_its_older_results(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    current = month_audit.current_stars(month.observatory)
    with Catalog.open(f"sqlite:///{nightly.catalog}") as catalog:
        for obj in {content.obj for content in month.observatory.ledger}:
            good = [each.digest for each in month.observatory.ledger if each.obj == obj and each.damage is None]
            history = catalog.label_tables.history(obj)
            assert list(history["spectrum"]) == good, obj
            assert list(history["spectrum"][history["current"]]) == ([current[obj]] if obj in current else []), obj


def test_every_night_s_table_holds_its_stars(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    nights = {APO: [*NIGHTS, *month.recent], LCO: list(SOUTHERN)}
    assert month_audit.wrong_tables(nightly, month.observatory, nights) == []


def test_no_night_is_left_unfinished_and_no_run_failed(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    summaries = month_audit.last_summaries(nightly)
    assert summaries.keys() >= {(APO, mjd) for mjd in (*NIGHTS, *month.recent)} | {(LCO, mjd) for mjd in SOUTHERN}
    assert {night: summary["unfinished"] for night, summary in summaries.items() if summary["unfinished"]} == {}
    failed = [run["dag_run_id"] for dag in DAGS.values() for run in nightly.rest.runs(dag) if run["state"] == "failed"]
    assert failed == [], nightly.tell()


def test_a_scheduled_run_takes_what_came_late_while_another_night_waits(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    assert month.facts["waiting"] == ("running", None), "it has not gone on to list its files"
    query = "SELECT mjd FROM night_file WHERE path = ? AND state = 'due' ORDER BY mjd"
    takers = [mjd for (mjd,) in nightly.rows(query, str(month.fates["late"].path))]
    assert takers == [month.recent[-1]]


def test_a_file_that_disappeared_is_known_as_gone(lived: tuple[Month, Nightly]) -> None:
    month, nightly = lived
    states = dict(nightly.rows("SELECT path, state FROM archive_file"))
    gone = str(month.fates["gone"].path)
    assert states.pop(gone) == "gone"
    assert set(states.values()) == {"present"}
    assert set(states) == {str(path) for path in month.observatory.newest()} - {gone}


def test_the_night_on_which_nobody_observed_is_a_clean_no_op(lived: tuple[Month, Nightly]) -> None:
    _, nightly = lived
    empty = FIRST[7]
    assert nightly.backfilled(APO)[empty] == "success"
    assert month_audit.last_summaries(nightly)[APO, empty]["listed"] == 0
