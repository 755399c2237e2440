"""Fetching a night as a task."""

from __future__ import annotations

from typing import Any

import pytest

from apogee_airflow import FetchNightOperator
from apogee_labels.apogee.download import fetch_many
from apogee_labels.core.settings import Settings
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext, Server

MJD = 59280
NOTHING = {"expected": 0, "fetched": 0, "was_here": 0, "not_at_remote": 0, "bad": 0}


@pytest.fixture
def wanted(
    survey: SyntheticSurvey, server: Server, installation: Settings, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Stars of the night, which a summary names, the server has, and the archive no longer has."""
    monkeypatch.setattr(fetch_many, "FIRST_PAUSE", 0.0)
    summary = installation.data_dir / "visits.csv"
    monkeypatch.setenv("APOGEE_LABELS_REMOTE_BASE", server.base)
    monkeypatch.setenv("APOGEE_LABELS_VISIT_SUMMARY", str(summary))
    stars = [star for star in survey.stars if MJD in survey.visits(star, MJD) and star.telescope == "apo25m"]
    lines = ["mjd,telescope,apogee_id,field", *(f"{MJD},apo25m,{star.obj},{star.field}" for star in stars)]
    summary.write_text("\n".join(lines))
    for star in stars:
        path = survey.path(star)
        server.answers[f"GET /sas/{path.relative_to(survey.root)}"] = (200, path.read_bytes())
        path.unlink()
    return [star.obj for star in stars]


def fetch(context: dict[str, Any], **arguments: Any) -> dict[str, int]:
    operator: Any = FetchNightOperator(task_id="fetch", telescope="apo25m", **arguments)
    return operator.execute(context)


@pytest.mark.parametrize("use_remote", [True, "True", "true", 1])
def test_the_run_s_night_is_fetched(wanted: list[str], make_context: MakeContext, use_remote: object) -> None:
    counts = fetch(make_context(mjd=MJD), use_remote=use_remote, parallel="2")
    assert counts == NOTHING | {"expected": len(wanted), "fetched": len(wanted)}


@pytest.mark.parametrize("arguments", [{}, {"use_remote": False}, {"use_remote": "False"}, {"use_remote": None}])
def test_nothing_is_asked_for_unless_it_is_wanted(
    wanted: list[str], server: Server, make_context: MakeContext, arguments: dict[str, Any]
) -> None:
    assert fetch(make_context(mjd=MJD), **arguments) == NOTHING
    assert server.asked == []


def test_another_night_is_left_alone(wanted: list[str], server: Server, make_context: MakeContext) -> None:
    assert fetch(make_context(mjd=50000), use_remote=True) == NOTHING
    assert server.asked == []


def test_trouble_is_raised_when_the_others_are_here(
    wanted: list[str], server: Server, make_context: MakeContext
) -> None:
    broken = next(iter(server.answers))
    whole = server.answers[broken]
    server.answers[broken] = (503, b"")
    with pytest.raises(OSError, match=f"1 of {len(wanted)} files"):
        fetch(make_context(mjd=MJD), use_remote=True)
    server.answers[broken] = whole
    assert fetch(make_context(mjd=MJD), use_remote=True) == NOTHING | {
        "expected": len(wanted), "fetched": 1, "was_here": len(wanted) - 1,
    }  # fmt: skip
