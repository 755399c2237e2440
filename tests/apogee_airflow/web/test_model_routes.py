"""The pages of models by themselves."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from fastapi import FastAPI

from apogee_airflow.web import URL_PREFIX
from apogee_airflow.web.model_routes import router
from apogee_labels.catalog.records import VerdictOutcome
from apogee_labels.pipeline.models.acceptance import apply_decision, put_in_force_by_hand
from apogee_labels.pipeline.models.judgement import Tolerances
from apogee_labels.pipeline.models.model_report import validate_model
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_airflow.web.client import Client


@pytest.fixture
def client(workspace: Workspace, model_id: str) -> Client:
    """A client for whom the door is open; a model was validated and is in force."""
    validate_model(workspace, model_id, Tolerances())
    apply_decision(workspace, model_id, "cannon_training a_run")
    pages, airflow = FastAPI(), FastAPI()
    pages.include_router(router)
    airflow.mount(URL_PREFIX, pages)
    return Client(airflow)


def test_the_overview_has_each_model_with_its_verdict_and_numbers(client: Client, model_id: str) -> None:
    page = client.get("/apogee/models").text
    assert f'<a href="/apogee/models/{model_id}">{model_id[:12]}</a>' in page
    assert "<strong>accepted</strong> by cannon_training a_run" in page
    assert "to now" in page
    (row,) = client.get("/apogee/api/models").json()
    assert (row["id"], row["verdict"]["outcome"], row["in_force"][0]["until"]) == (
        model_id,
        VerdictOutcome.ACCEPTED,
        None,
    )
    assert set(row["rms"]) == {"TEFF", "LOGG", "FE_H"}
    assert f"TEFF {row['rms']['TEFF']:.3g}" in page


def test_a_model_has_its_history_and_its_report(client: Client, workspace: Workspace, model_id: str) -> None:
    workspace.catalog.models.put_in_force("dwarfs", model_id, "grace", "a <b>bold</b> reason")
    page = client.get(f"/apogee/models/{model_id[:12]}").text
    assert "The first model of its name is within the limits" in page
    assert "a &lt;b&gt;bold&lt;/b&gt; reason" in page
    assert f'src="/apogee/models/{model_id}/report"' in page
    found = client.get(f"/apogee/api/models/{model_id}").json()
    assert found["report"]["model"]["model_id"] == model_id
    assert found["details"]["asked"] is False


def test_the_report_runs_its_own_scripts_and_no_others(client: Client, workspace: Workspace, model_id: str) -> None:
    answer = client.get(f"/apogee/models/{model_id}/report")
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert policy.startswith("default-src 'none'; ")
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert len(scripts) > 3
    assert all(f'nonce="{nonce[1]}"' in script for script in scripts)
    (source,) = re.findall(r'src="([^"]*)"', answer.text)
    assert client.get(urljoin(f"/apogee/models/{model_id}/report", source)).status_code == 200
    assert nonce[1] not in client.get(f"/apogee/models/{model_id}/report").text, "another one each time"
    kept = workspace.report_path(model_id, "html").read_text()
    assert answer.text.replace(f' nonce="{nonce[1]}"', "").replace('src="../', 'src="') == kept


def test_the_script_of_the_plots_comes_from_here(client: Client) -> None:
    answer = client.get("/apogee/models/plotly.min.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "plotly.js v" in answer.text[:300]


def test_a_model_without_a_report_says_so(client: Client, workspace: Workspace, model_id: str) -> None:
    for kind in ("json", "html"):
        workspace.report_path(model_id, kind).unlink()
    assert "None is kept" in client.get(f"/apogee/models/{model_id}").text
    assert client.get(f"/apogee/models/{model_id}/report").status_code == 404
    assert client.get("/apogee/models").status_code == 200


def test_going_back_is_told(client: Client, workspace: Workspace, model_id: str) -> None:
    put_in_force_by_hand(workspace, model_id, "to be sure", "grace")
    assert len(client.get("/apogee/api/models").json()[0]["in_force"]) == 1


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("models/" + "0" * 64, 404),
        ("models/" + "0" * 64 + "/report", 404),
        ("models/short", 422),
        ("models/" + "g" * 64, 422),
        ("models/..%2f..%2fcatalog.db/report", 404),
        ("models/../../etc/passwd", 404),
        ("api/models/giants", 422),
    ],
)
def test_only_an_identity_gets_as_far_as_a_path(client: Client, path: str, code: int) -> None:
    assert client.get(f"/apogee/{path}").status_code == code


def test_only_reading_is_possible() -> None:
    assert {method for route in router.routes for method in getattr(route, "methods", ())} == {"GET"}
