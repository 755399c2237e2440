"""Who is told what, and when nobody is: the callbacks, with what Airflow gives them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions.callback import AsyncCallback

from apogee_airflow.notifiers.notify import night_callbacks, notify_failed, notify_late
from apogee_labels.catalog.records import FileStatus, NightFile
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_airflow.conftest import MakeContext
from tests.support.mail_server import NIGHT_WATCH, connection_to, told_by_mail

HOURS = 18.0


def deadline_context(**changes: Any) -> dict[str, Any]:
    """What Airflow 3.3.2 gives the callback of a deadline: the run as its REST API shows it."""
    run = {
        "dag_run_id": "a_run", "dag_id": "apogee_nightly_apo25m", "run_type": "scheduled", "state": "running", "conf": {},
        "logical_date": "2021-03-06T16:48:00Z", "data_interval_start": "2021-03-06T16:48:00Z",
        "data_interval_end": "2021-03-07T16:48:00Z",
    }  # fmt: skip
    return {"dag_run": run | changes, "deadline": {"id": "1", "deadline_time": "2021-03-08T10:48:00Z"}}


def late(**changes: Any) -> str:
    return asyncio.run(notify_late("apo25m", HOURS, deadline_context(**changes)))


def test_nobody_is_told_unless_the_settings_name_somebody(installation: Settings) -> None:
    assert night_callbacks("apo25m", installation) == {}


def test_a_dag_is_given_both(installation: Settings) -> None:
    given = night_callbacks(
        "lco25m", installation.model_copy(update={"notify": (NIGHT_WATCH,), "night_deadline_hours": 20.0})
    )
    assert set(given) == {"on_failure_callback", "deadline"}
    alert = given["deadline"]
    assert alert.interval.total_seconds() == 20 * 3600
    assert isinstance(alert.callback, AsyncCallback), "it needs no worker's slot"
    assert alert.callback.path == "apogee_airflow.notifiers.notify.notify_late"
    assert alert.callback.kwargs == {"telescope": "lco25m", "hours": 20.0}


def test_a_late_night_is_told_with_what_the_catalogue_knows(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [NightFile(path="/sas/apStar-dr17-2M0.fits", digest=None, state=FileStatus.DUE)]
    workspace.catalog.nights.record_listing("apo25m", 59280, "a_run", None, files)
    with told_by_mail(monkeypatch, notify=f"{NIGHT_WATCH},astronomer@example.org") as server:
        assert late().startswith("written to 2: [APOGEE] NOT DONE after 18 hours: apo25m, evening of 2021-03-06")
    assert server.recipients == [[NIGHT_WATCH, "astronomer@example.org"]]
    assert server.messages[0]["From"] == "airflow@example.org"
    assert "Files: 1 listed; publish_night has not written its summary" in server.text(0)
    assert "Not known: the run&#x27;s tasks" in server.text(0), "there is no Airflow to ask in this test"


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"state": "failed"}, "is over"), ({"state": "success"}, "is over"), ({"run_type": "backfill"}, "a backfill")],
)
def test_a_late_night_is_not_told_when_it_is_over_or_a_backfill_runs_it_again(
    installation: Settings, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], why: str
) -> None:
    with told_by_mail(monkeypatch) as server:
        assert why in late(**changes)
    assert server.messages == []


def test_nobody_is_written_to_who_has_been_taken_out_since(
    installation: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with told_by_mail(monkeypatch) as server:
        monkeypatch.delenv("APOGEE_LABELS_NOTIFY")
        assert late() == "silent: APOGEE_LABELS_NOTIFY names nobody any more"
    assert server.messages == []


def test_a_mail_goes_out_although_the_catalogue_cannot_be_read(
    installation: Settings, monkeypatch: pytest.MonkeyPatch, make_context: MakeContext
) -> None:
    monkeypatch.setenv("APOGEE_LABELS_CATALOG_URL", f"sqlite:///{installation.training_set}/catalog.db")
    with told_by_mail(monkeypatch) as server:
        notify_failed("apo25m", make_context("scheduled"))
    assert "Not known: the night&#x27;s files (" in server.text(0)
    assert "none listed" not in server.text(0)
    assert "scheduled__test" in server.text(0)


def test_a_deadlocked_run_is_told_by_its_id_alone(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with told_by_mail(monkeypatch) as server:
        notify_failed("apo25m", {"dag": SimpleNamespace(dag_id="a_dag"), "run_id": "a run/1", "reason": "deadlock"})
    assert server.messages[0]["Subject"] == "[APOGEE] FAILED: apo25m, run a run/1"
    assert "/dags/a_dag/runs/a%20run%2F1" in server.text(0)


def test_a_mail_server_that_does_not_answer_is_an_error_for_the_log(
    installation: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APOGEE_LABELS_NOTIFY", NIGHT_WATCH)
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_to(1))
    with pytest.raises(ConnectionRefusedError):
        late()
