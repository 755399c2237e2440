"""Who may see the pages; what a login opens is in tests/end_to_end/test_night_pages.py."""

from __future__ import annotations

import pytest

from tests.apogee_airflow.web.client import Client

pytestmark = pytest.mark.filterwarnings("ignore:Using `httpx` with:DeprecationWarning", "ignore:Using `httpx` with")


MODELS = ("/models", "/models/0123456789ab", "/models/0123456789ab/report", "/models/plotly.min.js", "/api/models")
LINEAGE = ("/results/0123456789ab", "/stars/star", "/api/results/0123456789ab", "/api/stars/star")


@pytest.mark.parametrize(
    "path", ["/nights", "/nights/apo25m/59280", "/nights/apo25m/runs/x", "/api/nights", *MODELS, *LINEAGE]
)
def test_nobody_gets_in_without_a_login(path: str) -> None:
    from apogee_airflow.web.app import create_app

    client = Client(create_app())
    assert client.get(path).status_code == 401
    assert client.get("/openapi.json").status_code == client.get("/docs").status_code == 404
