"""E-mail about nights, through Airflow's own processes: what fails is told once, what is late once, a backfill never."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apogee_labels.apogee.archive.nights import OBSERVATORIES
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from apogee_local.environment import Installation
from apogee_local.processes import AirflowProcesses, airflow_processes, make_database, run_airflow, wait_until_healthy
from apogee_local.rest import AirflowRest
from tests.end_to_end.conftest import free_port
from tests.support.mail_server import NIGHT_WATCH, MailServer, mail_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]
APO, LCO = "apogee_nightly_apo25m", "apogee_nightly_lco25m"
DEADLINE = 60.0
"""Seconds after which a night is late; the failing one is done well before."""


@pytest.fixture
def installation(tmp_path: Path, survey_data: Path) -> Installation:
    """An installation in whose archive every file is damaged."""
    shutil.copytree(survey_data, tmp_path / "data")
    survey = SyntheticSurvey(tmp_path / "data" / "sas", n_stars=12, nights=2)
    for star in survey.stars:
        damage(survey.path(star), Damage.TRUNCATED)
    return Installation(tmp_path / "home", tmp_path / "data", free_port())


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def rest(installation: Installation, server: MailServer) -> Iterator[AirflowRest]:
    """A running Airflow that writes to the night watch, with all DAGs known and paused."""
    settings = {"notify": NIGHT_WATCH, "night_deadline_hours": str(DEADLINE / 3600)}
    environment = installation.environment(**settings)
    make_database(environment)
    # In Airflow's database, as people add it; the other tests have it in the environment.
    run_airflow(environment, "connections", "add", "smtp_default", "--conn-json", server.connection)
    with airflow_processes(environment) as processes:
        wait_until_healthy(processes, installation.url)
        with AirflowRest(installation.url, "admin", installation.password) as client:
            _wait_for_dags(client, processes)
            yield client


def _wait_for_dags(rest: AirflowRest, processes: AirflowProcesses) -> None:
    deadline = time.monotonic() + 120
    while not {APO, LCO} <= {dag["dag_id"] for dag in rest.get("dags", limit=100)["dags"]}:
        processes.check()
        assert time.monotonic() < deadline, "the DAGs did not appear"
        time.sleep(1)


def _last_night_waits() -> bool:
    """Whether the run of the last night that has ended waits for files: for twelve hours from the night's end."""
    site, now = OBSERVATORIES["apo25m"], datetime.now(UTC)
    return now < site.interval(site.mjd(now))[0] + timedelta(hours=12, minutes=-5)


def test_what_fails_and_what_is_late_is_told_once_and_a_backfill_never(
    rest: AirflowRest, server: MailServer, installation: Installation
) -> None:
    nights = [OBSERVATORIES["lco25m"].interval(mjd)[0].isoformat() for mjd in (59280, 59281)]
    rest.backfill(LCO, *nights)  # of a paused DAG: it will be late without having begun
    begun = time.monotonic()
    last_night_waits = _last_night_waits()
    rest.unpause(APO)
    failing = rest.trigger(APO, {"mjd": 59280})
    waiting = rest.trigger(APO, {"mjd": OBSERVATORIES["apo25m"].mjd(datetime.now(UTC)), "settle_seconds": 86400})
    rest.wait_for_runs(APO, lambda run: run["dag_run_id"] == failing, 1, timeout=DEADLINE)
    assert server.wait_for(1)[0] == "[APOGEE] FAILED: apo25m, evening of 2021-03-06 (SDSS MJD 59280)"
    assert "files were rejected, more than is tolerated" in server.text(0)
    assert "Tasks: " in server.text(0)
    assert f"/dags/{APO}/runs/{failing.replace(':', '%3A').replace('+', '%2B')}" in server.text(0)

    # The waiting one's, and the last night's, whose scheduled run unpausing makes: in the half of the day in which it waits.
    n_late = 1 + last_night_waits
    late = server.wait_for(1 + n_late)[1:]
    assert [subject.partition(": ")[0] for subject in late] == ["[APOGEE] NOT DONE after 0.0166667 hours"] * n_late
    texts = [server.text(number) for number in range(1, 1 + n_late)]
    assert all(text.startswith("<pre>Its files have not come, or still change: ask") for text in texts)
    assert sum(waiting in text for text in texts) == 1
    assert sum("The run (scheduled)" in text for text in texts) == last_night_waits

    time.sleep(
        max(0.0, begun + 1.5 * DEADLINE - time.monotonic())
    )  # the backfill's nights, and the failed one's deadline
    assert [run["state"] for run in rest.runs(LCO)] == ["queued", "queued"]
    assert server.wait_for(2 + n_late, timeout=5.0)[1 + n_late :] == []
    states = {run["dag_run_id"]: run["state"] for run in rest.runs(APO)}
    assert states.pop(failing) == "failed"
    assert states.pop(waiting) == "running"
    assert set(states.values()) == {"running" if last_night_waits else "success"}
    with sqlite3.connect(f"file:{installation.home / 'airflow.db'}?mode=ro", uri=True) as database:
        told = database.execute("SELECT state FROM callback WHERE type = 'triggerer' ORDER BY state").fetchall()
    assert told == [("success",)] * (1 + n_late), "the messages, and a silence about the night whose failure was told"
