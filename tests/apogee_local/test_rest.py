"""Airflow's REST API, by a server that answers as a busy one does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from apogee_local import rest as subject
from apogee_local.rest import AirflowRest
from tests.apogee_airflow.conftest import Server

BUSY = (500, b'{"detail": "database is locked"}')
TOKEN = "POST /auth/token"


def answer(body: Any, status: int = 200) -> tuple[int, bytes]:
    return status, json.dumps(body).encode()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two tries."""
    monkeypatch.setattr(subject, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: None))


@pytest.fixture
def rest(server: Server) -> Iterator[AirflowRest]:
    server.answers[TOKEN] = [answer({"access_token": "first"}, 201), answer({"access_token": "second"}, 201)]
    with AirflowRest(server.base, "admin", "secret", patience=5.0) as rest:
        yield rest


def test_it_logs_in_and_shows_its_token(rest: AirflowRest, server: Server) -> None:
    server.answers["GET /api/v2/dags"] = answer({"dags": []})
    assert rest.get("dags", limit=1) == {"dags": []}
    assert server.asked == [TOKEN, "GET /api/v2/dags"]
    assert server.headers[-1]["Authorization"] == "Bearer first"


def test_a_wrong_password_is_said_at_once(server: Server) -> None:
    server.answers[TOKEN] = answer({}, 401)
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        AirflowRest(server.base, "admin", "wrong")


def test_a_busy_answer_is_asked_again(rest: AirflowRest, server: Server) -> None:
    server.answers["PATCH /api/v2/dags/a"] = [BUSY, BUSY, answer({})]
    rest.unpause("a")
    assert server.asked.count("PATCH /api/v2/dags/a") == 3


def test_patience_ends(server: Server) -> None:
    server.answers |= {TOKEN: answer({"access_token": "x"}, 201), "GET /api/v2/dags": BUSY}
    with AirflowRest(server.base, "admin", "secret", patience=0.1) as rest, pytest.raises(httpx.HTTPStatusError):
        rest.get("dags")


def test_a_token_that_has_run_out_is_made_anew(rest: AirflowRest, server: Server) -> None:
    server.answers["GET /api/v2/dags"] = [answer({}, 401), answer({"dags": [1]})]
    assert rest.get("dags") == {"dags": [1]}
    assert server.asked == [TOKEN, "GET /api/v2/dags", TOKEN, "GET /api/v2/dags"]
    assert server.headers[-1]["Authorization"] == "Bearer second"


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_an_answer_that_stays_is_raised_at_once(rest: AirflowRest, server: Server, status: int) -> None:
    server.answers["GET /api/v2/dags"] = answer({}, status)
    with pytest.raises(httpx.HTTPStatusError, match=str(status)):
        rest.get("dags")
    assert len(server.asked) == 2


def test_an_answer_without_a_body_is_none(rest: AirflowRest, server: Server) -> None:
    server.answers["PATCH /api/v2/dags/a"] = (204, b"")
    assert rest.request("PATCH", "dags/a") is None


def test_a_backfill_that_is_under_way_is_left_alone(rest: AirflowRest, server: Server) -> None:
    server.answers["POST /api/v2/backfills"] = [BUSY, answer({}, 409)]
    rest.backfill("a", "2021-03-06", "2021-03-07", conf={"backfill_batch": 1})
    assert server.asked.count("POST /api/v2/backfills") == 2
    server.answers["POST /api/v2/backfills"] = answer({}, 422)
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        rest.backfill("a", "2021-03-06", "2021-03-07")


def test_a_run_is_triggered_and_told_by_its_id(rest: AirflowRest, server: Server) -> None:
    server.answers["POST /api/v2/dags/a/dagRuns"] = answer({"dag_run_id": "manual__1"})
    assert rest.trigger("a", {"mjd": 59280}) == "manual__1"


def test_runs_are_waited_for(rest: AirflowRest, server: Server) -> None:
    def run(name: str, state: str) -> dict[str, str]:
        return {"dag_run_id": name, "state": state}

    server.answers["GET /api/v2/dags/a/dagRuns"] = [
        answer({"dag_runs": [run("one", "running"), run("other", "success")], "total_entries": 2}),
        answer({"dag_runs": [run("one", "failed"), run("other", "success")], "total_entries": 2}),
    ]
    assert rest.wait_for_runs("a", lambda run: run["dag_run_id"] == "one", 1) == [run("one", "failed")]
    with pytest.raises(TimeoutError, match="2 finished runs expected after 0 s, there are: one: failed"):
        rest.wait_for_runs("a", lambda run: run["dag_run_id"] == "one", 2, timeout=0)


def test_task_instances_are_those_of_the_run_also_when_they_fill_several_pages(
    rest: AirflowRest, server: Server
) -> None:
    server.answers["GET /api/v2/dags/a/dagRuns/r/taskInstances"] = [
        answer({"task_instances": [{"map_index": index} for index in page], "total_entries": 250})
        for page in (range(100), range(100, 200), range(200, 250))
    ]
    assert [row["map_index"] for row in rest.task_instances("a", "r")] == list(range(250))
    assert len(server.asked) == 4
