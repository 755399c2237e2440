"""The pages of results and stars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi import FastAPI

from apogee_airflow.web import URL_PREFIX
from apogee_airflow.web.routes import router
from apogee_labels.core.code_version import code_version
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import NormalizationParameters, normalize_files
from apogee_labels.pipeline.identities import InferenceParameters, ResultIdentities
from apogee_labels.pipeline.nights.night import NightKey, list_night
from apogee_labels.pipeline.nights.publish import publish_night
from apogee_labels.pipeline.products.lineage import as_json, facts
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_airflow.web.client import Client


@pytest.fixture
def result(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    """A result of the first night, by a model that is in force."""
    model_id = put_model(workspace)
    workspace.catalog.models.put_in_force("giants", model_id, "<b>ann</b>")
    night, identities = NightKey("apo25m", 59280, "run"), ResultIdentities.nightly(workspace.settings.continuum_regions)
    due = list_night(workspace, night, identities, model_id)
    made = normalize_files(workspace, due, NormalizationParameters(regions=workspace.settings.continuum_regions))
    parameters = InferenceParameters()
    found = infer_labels(workspace, [each.unwrap().normalization_id for each in made], model_id, parameters)
    publish_night(workspace, night, identities)
    return found.result_ids[0]


@pytest.fixture
def client(workspace: Workspace) -> Client:
    """A client of the pages as Airflow mounts them, for whom the door is open."""
    pages, airflow = FastAPI(), FastAPI()
    pages.include_router(router)
    airflow.mount(URL_PREFIX, pages)
    return Client(airflow)


def test_from_a_night_to_a_star_to_its_result_and_all_that_made_it(
    client: Client, workspace: Workspace, survey: SyntheticSurvey, result: str
) -> None:
    lineage = workspace.catalog.lineage.of_result(result)
    assert lineage is not None
    made = (lineage.result, lineage.normalization, lineage.model)
    assert [each.code_version for each in made] == [code_version()] * 3
    star = lineage.spectrum.obj
    link = f"/apogee/stars/{star.replace('+', '%2B')}"
    assert f'<a href="{link}">{star}</a>' in client.get("/apogee/nights/apo25m/59280").text
    page = client.get(link).text
    assert f'<a href="/apogee/results/{result}">' in page
    assert f"{lineage.result.rows[0].labels[0].value:.6g} &plusmn; " in page
    page = client.get(f"/apogee/results/{result}").text
    for of_part in (
        lineage.spectrum.digest, lineage.normalization.id, lineage.model.id, lineage.model.training_set_digest,
        code_version(), "still there", '<a href="/apogee/nights/apo25m/59280">59280</a>',
    ):  # fmt: skip
        assert of_part in page
    assert all(f'<th scope="row">{name}</th>' in page for _, of_part in facts(lineage) for name, _ in of_part)
    assert client.get(f"/apogee/results/{result[:12]}").text.count(result) == page.count(result)
    assert client.get(f"/apogee/api/results/{result}").json() == as_json(lineage)
    assert client.get(f"/apogee/api/stars/{star.replace('+', '%2B')}").json() == [as_json(lineage)]


def test_it_is_never_markup_and_needs_nothing_from_elsewhere(client: Client, workspace: Workspace, result: str) -> None:
    lineage = workspace.catalog.lineage.of_result(result)
    assert lineage is not None
    for path in (f"results/{result}", f"stars/{lineage.spectrum.obj.replace('+', '%2B')}"):
        answer = client.get(f"/apogee/{path}")
        assert "&lt;b&gt;ann&lt;/b&gt;" in answer.text
        assert "<b>" not in answer.text
        assert not any(word in answer.text for word in ("http:", "https:", "src="))
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"results/{'0' * 64}", 404),
        ("results/abc", 422),
        (f"results/{'A' * 64}", 422),
        (f"results/{'0' * 12}%27--", 422),
        ("stars/2M00000000%2B0000000", 404),
        ("stars/..%2Fetc", 404),
        ("stars/%3Cscript%3E", 422),
        ("api/results/abc", 422),
        (f"api/results/{'0' * 12}", 404),
        ("api/stars/nobody", 404),
    ],
)
def test_what_is_not_there_is_not_found_and_what_is_no_name_is_refused(client: Client, path: str, code: int) -> None:
    assert client.get(f"/apogee/{path}").status_code == code


def test_the_beginning_of_two_results_is_a_conflict(client: Client, workspace: Workspace, result: str) -> None:
    record = workspace.catalog.results.get(result)
    assert record is not None
    workspace.catalog.results.record(replace(record, id=result[:12] + "0" * 52))
    assert client.get(f"/apogee/results/{result[:12]}").status_code == 409
