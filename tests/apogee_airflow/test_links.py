"""The link from a run's last task to its night."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from apogee_airflow import PublishNightOperator
from apogee_airflow.links import NightLink


def link(run_id: str, telescope: str = "apo25m") -> str:
    task = PublishNightOperator(task_id="t", telescope=telescope, model_id="m")
    assert [type(each) for each in task.operator_extra_links] == [NightLink]
    return NightLink().get_link(task, ti_key=cast("Any", SimpleNamespace(run_id=run_id)))


def test_it_goes_by_the_run_whatever_is_in_its_id() -> None:
    assert link("backfill__2021-03-07T16:48:00+00:00", "lco25m") == (
        "/apogee/nights/lco25m/runs/backfill__2021-03-07T16%3A48%3A00%2B00%3A00"
    )
    assert link("a/b?c#d").endswith("/runs/a%2Fb%3Fc%23d")


@pytest.mark.parametrize(
    ("base", "path"),
    [("https://host/airflow/", "/airflow/apogee/"), ("http://127.0.0.1:8080", "/apogee/"), ("/", "/apogee/")],
)
def test_it_keeps_the_path_that_a_proxy_puts_before(base: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    assert link("x") == f"{path}nights/apo25m/runs/x"
