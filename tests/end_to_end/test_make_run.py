"""The whole way through scheduler, dag-processor, api-server and triggerer as processes, as `make run` starts them."""

from __future__ import annotations

import re
import socket
import subprocess

import httpx
import psutil
import pytest
from astropy.table import Table

from apogee_local.rest import AirflowRest
from tests.end_to_end.conftest import SERVING, LocalRun, catalog_of, command, environment, family

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
DAG = "apogee_nightly_apo25m"
LAST_NIGHT = "backfill__2021-03-09T16:48:00+00:00"


def test_it_prints_nights_labels_address_and_login(local_run: LocalRun) -> None:
    output = local_run.output
    assert SERVING in output, output
    assert output.count(": success") == 6, output
    assert "1 rejected" in output
    assert local_run.installation.url in output
    assert local_run.installation.password in output
    rms = dict(re.findall(r"^\s+(\w+)\s+bias\s+\S+\s+rms\s+(\S+)", output, re.MULTILINE))
    assert float(rms["TEFF"]) < 40, output
    assert float(rms["LOGG"]) < 0.05, output
    assert float(rms["FE_H"]) < 0.02, output


def test_every_star_but_the_damaged_one_has_a_result(local_run: LocalRun) -> None:
    truth = Table.read(local_run.installation.data_dir / "sas" / "truth.csv")
    with catalog_of(local_run.installation) as catalog:
        stars = set(catalog.labels()["obj"])
        summaries = catalog.nights.publications()
    assert len(set(truth["obj"]) - stars) == 1
    assert {summary["unfinished"] for summary in summaries} == {0}
    assert sum(int(str(summary["rejected"])) for summary in summaries) == 1


def test_the_ui_names_each_instance_by_its_star_and_the_rejected_one_by_its_reason(rest: AirflowRest) -> None:
    instances = [item for item in rest.task_instances(DAG, LAST_NIGHT) if item["task_id"] == "normalize"]
    skipped = [item for item in instances if item["state"] == "skipped"]
    assert {item["state"] for item in instances} == {"success", "skipped"}
    assert [item["rendered_map_index"].partition(": ")[2] for item in skipped] == ["unreadable"]
    assert all(re.fullmatch(r"2M\d{8}[+-]\d{7}(: unreadable)?", item["rendered_map_index"]) for item in instances)
    assert {item["try_number"] for item in skipped} == {1}


def test_the_log_of_a_rejection_names_file_and_reason_without_a_traceback(rest: AirflowRest) -> None:
    (skipped,) = (
        item for item in rest.task_instances(DAG, LAST_NIGHT)
        if item["task_id"] == "normalize" and item["state"] == "skipped"
    )  # fmt: skip
    log = rest.get(
        f"dags/{DAG}/dagRuns/{LAST_NIGHT}/taskInstances/normalize/logs/1",
        map_index=skipped["map_index"],
        full_content=True,
    )
    lines = [entry for entry in log["content"] if "rejected apStar" in str(entry.get("event"))]
    assert len(lines) == 1
    assert "unreadable" in lines[0]["event"]
    assert "error_detail" not in str(log["content"])
    assert "Traceback" not in str(log["content"])


def test_the_night_again_does_no_work_and_says_so(rest: AirflowRest, local_run: LocalRun) -> None:
    run_id = rest.trigger(DAG, logical_date="2021-03-07T03:00:00Z")
    assert "mjd59280" in run_id
    (run,) = rest.wait_for_runs(DAG, lambda item: item["dag_run_id"] == run_id, 1, timeout=180)
    states = {item["task_id"]: item["state"] for item in rest.task_instances(DAG, run_id)}
    assert run["state"] == "success"
    assert (states["normalize"], states["infer"], states["publish_night"]) == ("skipped", "skipped", "success")
    summary = rest.get(f"dags/{DAG}/dagRuns/{run_id}/taskInstances/publish_night/xcomEntries/return_value")["value"]
    assert "'done': 0" in str(summary) or '"done": 0' in str(summary)
    with catalog_of(local_run.installation) as catalog:
        assert set(catalog.duplicates.counts().values()) <= {0}


def test_clearing_one_instance_does_that_file_again_and_finds_it_complete(rest: AirflowRest) -> None:
    body = {"dry_run": False, "dag_run_id": LAST_NIGHT, "task_ids": [["normalize", 0]], "only_failed": False}
    rest.request("POST", f"dags/{DAG}/clearTaskInstances", json=body)
    rest.wait_for_runs(DAG, lambda item: item["dag_run_id"] == LAST_NIGHT, 1, timeout=120)
    again = next(
        item for item in rest.task_instances(DAG, LAST_NIGHT)
        if item["task_id"] == "normalize" and item["map_index"] == 0
    )  # fmt: skip
    assert (again["state"], again["try_number"]) == ("success", 2)


def test_one_run_trained_and_none_waits(rest: AirflowRest) -> None:
    """Whatever woke it once more, the hour or the watcher's first look, found a verdict and was skipped."""
    states = [
        item["state"]
        for run in rest.runs("cannon_training", state="success")
        for item in rest.task_instances("cannon_training", run["dag_run_id"])
        if item["task_id"] == "train"
    ]
    assert states.count("success") == 1
    assert set(states) <= {"success", "skipped"}


def test_nobody_gets_in_without_a_login(local_run: LocalRun) -> None:
    assert httpx.get(f"{local_run.installation.url}/api/v2/dags").status_code == httpx.codes.UNAUTHORIZED


def test_it_listens_on_loopback_only(local_run: LocalRun) -> None:
    addresses = {
        connection.laddr.ip
        for process in family(local_run.process.pid)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_a_taken_port_is_a_clear_sentence(local_run: LocalRun) -> None:
    folder = local_run.installation.home.parent / "other"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(command(folder), env=environment(port), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr
    assert "AIRFLOW_PORT=" in done.stderr
    assert not folder.exists(), "nothing is written before the port is known to be free"
