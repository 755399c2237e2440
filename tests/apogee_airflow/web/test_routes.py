"""The pages by themselves; through Airflow's API server they are in tests/end_to_end/test_night_pages.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI

from apogee_airflow.web import URL_PREFIX
from apogee_airflow.web.routes import router
from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import RejectionRecord, Stage
from apogee_labels.core.errors import Reason
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.nights.night import NightKey, list_night
from apogee_labels.pipeline.nights.night_status import night_status, nights_overview
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_airflow.web.client import Client

NIGHT = "/apogee/nights/apo25m/59280"
RUN = "scheduled__2021-03-06_mjd59280"


@pytest.fixture
def client(workspace: Workspace) -> Client:
    """A client of the pages as Airflow mounts them, for whom the door is open; the first night is listed by a run."""
    list_night(
        workspace, NightKey("apo25m", 59280, RUN), ResultIdentities.nightly(workspace.settings.continuum_regions), None
    )
    pages, airflow = FastAPI(), FastAPI()
    pages.include_router(router)
    airflow.mount(URL_PREFIX, pages)
    return Client(airflow)


def reject_with(workspace: Workspace, message: str) -> str:
    """Reject the first file of the night; returns its path."""
    file = workspace.catalog.archive.files_of_night("apo25m", 59280)[0]
    workspace.catalog.rejections.record(
        RejectionRecord(
            subject=str(file.digest), path=file.path, stage=Stage.READ, reason=Reason.EMPTY, message=message,
            reader_version=READER_VERSION,
        )
    )  # fmt: skip
    return file.path


def test_a_night_has_its_verdict_its_files_its_runs_and_the_line_that_runs_it_again(
    client: Client, workspace: Workspace
) -> None:
    path = reject_with(workspace, "zero bytes")
    status = night_status(workspace, "apo25m", 59280)
    page = client.get(NIGHT).text
    assert status.verdict.sentence.replace("'", "&#39;") in page
    assert all(Path(file.path).name in page for file in status.files)
    assert "<strong>empty</strong>: zero bytes" in page
    assert page.index(Path(path).name) > page.index("under way"), "what somebody has to look at comes first"
    assert f'<a data-airflow href="/dags/apogee_nightly_apo25m/runs/{RUN}">' in page
    assert (
        "--from-date 2021-03-06T16:48:00+00:00 --to-date 2021-03-06T16:48:00+00:00 --reprocess-behavior completed"
        in page
    )
    assert client.get("/apogee/api/nights/apo25m/59280").json() == status.as_json()


def test_an_overview_links_to_its_nights(client: Client, workspace: Workspace) -> None:
    page = client.get("/apogee/nights").text
    for row in nights_overview(workspace, 59280, 59281, ["apo25m"]):
        assert f'<a href="/apogee/nights/apo25m/{row.night.mjd}">{row.night.mjd}</a>' in page
        assert row.verdict.sentence in page
    assert client.get("/apogee/api/nights?number=1").json()[0]["mjd"] == 59281
    older = client.get("/apogee/api/nights", params={"last": 59280, "telescope": "apo25m"}).json()
    assert [(row["telescope"], row["mjd"]) for row in older] == [("apo25m", 59280)]
    assert client.get("/apogee/api/nights?last=55000").json() == []
    assert "No night is known" in client.get("/apogee/nights?last=55000").text


def test_a_night_that_stands_out_is_marked(client: Client, workspace: Workspace) -> None:
    assert "tands out" not in client.get(NIGHT).text + client.get("/apogee/nights").text
    drift = {"stands_out": ["S/N <b>is low</b>"]}
    workspace.catalog.nights.record_publication("apo25m", 59280, RUN, {"drift": drift})
    assert '<p class="verdict">This night stands out: S/N &lt;b&gt;is low&lt;/b&gt;</p>' in client.get(NIGHT).text
    overview = client.get("/apogee/nights").text
    assert overview.count("Stands out.</strong>") == 1
    assert '<strong title="S/N &lt;b&gt;is low&lt;/b&gt;">' in overview
    assert client.get("/apogee/api/nights/apo25m/59280").json()["stands_out"] == drift["stands_out"]


def test_a_run_leads_to_its_night_below_whatever_a_proxy_puts_before(client: Client) -> None:
    answer = client.get(f"/apogee/nights/apo25m/runs/{RUN}")
    assert (answer.status_code, answer.headers["location"]) == (307, NIGHT)
    behind = Client(client.app, root_path="/airflow")
    assert behind.get(f"/airflow/apogee/nights/apo25m/runs/{RUN}").headers["location"] == f"/airflow{NIGHT}"
    assert f'href="/airflow/dags/apogee_nightly_apo25m/runs/{RUN}"' in behind.get(f"/airflow{NIGHT}").text


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("nights/keck/59280", 404),
        ("api/nights/keck/59280", 404),
        ("nights?telescope=keck", 404),
        ("nights/keck/runs/x", 404),
        ("nights/apo25m/runs/unknown", 404),
        ("nights/apo25m/54999", 422),
        ("nights/apo25m/tonight", 422),
        ("nights?number=1001", 422),
        ("nights?last=1", 422),
        ("nights/apo25m/../../etc", 404),
    ],
)
def test_what_is_not_there_is_not_found_and_what_is_no_night_is_refused(client: Client, path: str, code: int) -> None:
    assert client.get(f"/apogee/{path}").status_code == code


def test_text_from_files_is_never_markup(client: Client, workspace: Workspace) -> None:
    reject_with(workspace, "<script>alert('x')</script>")
    answer = client.get(NIGHT)
    assert "&lt;script&gt;alert(" in answer.text
    assert "<script>" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    assert policy != client.get(NIGHT).headers["content-security-policy"]


def test_pages_need_nothing_from_elsewhere(client: Client) -> None:
    for path in (NIGHT, "/apogee/nights"):
        page = client.get(path).text
        assert "http:" not in page
        assert "https:" not in page
        assert "src=" not in page


def test_only_reading_is_possible() -> None:
    assert {method for route in router.routes for method in getattr(route, "methods", ())} == {"GET"}
