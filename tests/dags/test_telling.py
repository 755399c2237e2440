"""A night that fails is told once, and whatever goes wrong with the message leaves the night as it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.dags.conftest import states
from tests.support.mail_server import NIGHT_WATCH, connection_to, told_by_mail

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]
DAG = "apogee_nightly_apo25m"
EVENING = datetime(2021, 3, 7, 2, 0, tzinfo=UTC)  # a moment in MJD 59280


def test_a_failed_night_is_told_once_with_its_counts(
    run_dag: RunDag, survey: SyntheticSurvey, monkeypatch: pytest.MonkeyPatch
) -> None:
    for star in survey.stars:
        damage(survey.path(star), Damage.TRUNCATED)
    with told_by_mail(monkeypatch) as server:
        run = run_dag(DAG, EVENING)
    assert run.state == "failed"
    (message,) = server.messages
    assert message["Subject"] == "[APOGEE] FAILED: apo25m, evening of 2021-03-06 (SDSS MJD 59280)"
    assert (message["To"], server.recipients) == (NIGHT_WATCH, [[NIGHT_WATCH]])
    assert "files were rejected, more than is tolerated: look at the reduction of this night" in server.text(0)
    assert f"/dags/{DAG}/runs/" in server.text(0)


def test_a_mail_server_that_does_not_answer_changes_nothing(
    run_dag: RunDag, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APOGEE_LABELS_NOTIFY", NIGHT_WATCH)
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_to(1))
    run = run_dag(DAG)  # no night: its first task fails
    assert run.state == "failed"
    assert states(run)["wait_for_apstars"] == ["failed"]
    assert "Callback failed for apogee_nightly_apo25m" in "".join(capsys.readouterr()), "it is in the log"
