"""Fetching as a task: what is a result, what is retried, what fails at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow import FetchApStarOperator
from apogee_labels.apogee.download.fetch import FetchError
from apogee_labels.core.settings import Settings
from apogee_labels.simulation.survey import SyntheticStar, SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext, Server


@pytest.fixture
def star(survey: SyntheticSurvey) -> SyntheticStar:
    return survey.stars[0]


@pytest.fixture
def content(star: SyntheticStar, survey: SyntheticSurvey, server: Server, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The star's file, which the server has and the archive no longer has."""
    path = survey.path(star)
    content = path.read_bytes()
    path.unlink()
    monkeypatch.setenv("APOGEE_LABELS_REMOTE_BASE", server.base)
    server.answers[f"GET /sas/{path.relative_to(survey.root)}"] = (200, content)
    return content


def keys(star: SyntheticStar) -> dict[str, Any]:
    return {"obj": star.obj, "telescope": star.telescope, "field": star.field}


def fetch(star: SyntheticStar, context: dict[str, Any], **arguments: Any) -> Path:
    operator = FetchApStarOperator(task_id="fetch", star=keys(star), **arguments)
    return Path(operator.execute(context))  # type: ignore[arg-type]


def test_a_file_that_is_here_is_not_asked_for(
    star: SyntheticStar, survey: SyntheticSurvey, server: Server, make_context: MakeContext
) -> None:
    context = make_context()
    assert fetch(star, context) == fetch(star, context, use_remote=True) == survey.path(star)
    assert server.asked == []
    assert context["label"] == star.obj


@pytest.mark.parametrize("use_remote", [True, "True", "true", 1, "1"])
def test_a_file_that_is_not_here_is_fetched(
    star: SyntheticStar, survey: SyntheticSurvey, content: bytes, make_context: MakeContext, use_remote: object
) -> None:
    path = fetch(star, make_context(), use_remote=use_remote)
    assert path == survey.path(star)
    assert path.read_bytes() == content


@pytest.mark.parametrize("use_remote", [False, "False", "false", "", None, 0])
def test_nothing_is_fetched_unasked(
    star: SyntheticStar, content: bytes, server: Server, make_context: MakeContext, use_remote: object
) -> None:
    context = make_context()
    with pytest.raises(AirflowSkipException, match="use_remote"):
        fetch(star, context, use_remote=use_remote)
    assert server.asked == []
    assert context["label"] == f"{star.obj}: missing"


def test_a_404_is_a_skip_with_its_label(
    star: SyntheticStar, survey: SyntheticSurvey, content: bytes, server: Server, make_context: MakeContext
) -> None:
    server.answers.clear()
    context = make_context()
    with pytest.raises(AirflowSkipException, match="HTTP 404"):
        fetch(star, context, use_remote=True)
    assert context["label"] == f"{star.obj}: not_at_remote"
    assert len(server.asked) == 1
    assert not survey.path(star).exists()


def test_a_transfer_that_breaks_off_is_raised_and_leaves_nothing(
    star: SyntheticStar, survey: SyntheticSurvey, content: bytes, server: Server, make_context: MakeContext
) -> None:
    server.cut = True
    beside = set(survey.path(star).parent.iterdir())
    context = make_context()
    with pytest.raises(FetchError):
        fetch(star, context, use_remote=True)
    assert set(survey.path(star).parent.iterdir()) == beside
    server.cut = False
    assert fetch(star, context, use_remote=True).read_bytes() == content


def test_a_server_that_refuses_is_for_a_person(
    star: SyntheticStar, survey: SyntheticSurvey, content: bytes, server: Server, make_context: MakeContext
) -> None:
    server.answers = dict.fromkeys(server.answers, (401, b""))
    with pytest.raises(PermissionError, match=r"\.netrc"):
        fetch(star, make_context(), use_remote=True)
    assert not survey.path(star).exists()


def test_keys_that_name_no_file_are_a_skip(installation: Settings, make_context: MakeContext) -> None:
    context = make_context()
    for star in ({"obj": "2M16505794-2118004", "feild": "000+14"}, {"obj": "../../etc", "field": "000+14"}):
        operator = FetchApStarOperator(task_id="fetch", star=star)
        with pytest.raises(AirflowSkipException):
            operator.execute(context)  # type: ignore[arg-type]
        assert context["label"] == f"{star['obj']}: missing"
