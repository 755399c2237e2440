"""The pages of nights and the links to them, through a running Airflow."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from apogee_local.rest import AirflowRest
from tests.end_to_end.conftest import LocalRun

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
DAG = "apogee_nightly_apo25m"
RUN = "backfill__2021-03-09T16:48:00+00:00"


def token_of(local_run: LocalRun, user: str) -> str:
    password = json.loads((local_run.installation.home / "passwords.json").read_text())[user]
    login = {"username": user, "password": password}
    return str(httpx.post(f"{local_run.installation.url}/auth/token", json=login).json()["access_token"])


def test_the_link_of_a_run_leads_to_its_night(rest: AirflowRest, local_run: LocalRun) -> None:
    """By the cookie that the UI has, and for somebody who may only look."""
    links = rest.get(f"dags/{DAG}/dagRuns/{RUN}/taskInstances/publish_night/links")["extra_links"]
    with httpx.Client(
        base_url=local_run.installation.url, cookies={"_token": token_of(local_run, "watcher")}, follow_redirects=True
    ) as browser:
        page = browser.get(links["Night"])
    assert (page.status_code, page.url.path) == (200, "/apogee/nights/apo25m/59282")
    assert "Done: 19 file(s) with labels, 1 rejected." in page.text
    assert "<strong>unreadable</strong>" in page.text


def test_pages_open_to_a_login_only(local_run: LocalRun) -> None:
    url = f"{local_run.installation.url}/apogee/nights"
    login = {"Authorization": f"Bearer {token_of(local_run, 'admin')}"}
    answers = [
        httpx.get(url),
        httpx.get(url, headers={"Authorization": "Bearer forged"}),
        httpx.get(url, headers=login),
        httpx.get(f"{url}/keck/59280", headers=login),
        httpx.post(url, headers=login),
        httpx.get(f"{local_run.installation.url}/apogee/openapi.json"),
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 200, 404, 405, 404]


def test_a_viewer_comes_from_a_night_to_a_star_its_result_and_the_report_on_its_model(local_run: LocalRun) -> None:
    with httpx.Client(
        base_url=local_run.installation.url, cookies={"_token": token_of(local_run, "watcher")}
    ) as browser:
        night = browser.get("/apogee/nights/apo25m/59280")
        (star, *_) = re.findall(r'href="(/apogee/stars/[^"]+)"', night.text)
        (result, *_) = re.findall(r'href="(/apogee/results/[0-9a-f]+)"', browser.get(star).text)
        lineage = browser.get(result.replace("/apogee/", "/apogee/api/", 1)).json()
        assert {part for part in lineage if lineage[part]} == {
            "result", "file", "normalization", "model", "verdict", "in_force",
        }  # fmt: skip
        assert lineage["verdict"]["outcome"] == "accepted"
        pages = [result, "/apogee/models", f"/apogee/models/{lineage['model']['id']}/report"]
        assert [browser.get(page).status_code for page in pages] == [200, 200, 200]
        assert "rms" in browser.get(pages[-1]).text


def test_the_menu_has_the_nights_and_the_models(rest: AirflowRest) -> None:
    plugins = {plugin["name"]: plugin for plugin in rest.get("plugins")["plugins"]}
    views = [(view["name"], view["category"]) for view in plugins["apogee_labels"]["external_views"]]
    assert views == [("Nights", "browse"), ("Models", "browse")]
    assert rest.get("plugins/importErrors")["import_errors"] == []
