"""docker-compose.yaml as Airflow sees it: every setting known and valid, every command one of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from tests.support.command import output_of
from tests.support.compose import PROJECT_ROOT, read_compose
from tests.support.env_example import made_variables
from tests.support.required import require

NEEDED_HERE = ("PATH", "HOME", "LANG", "LC_ALL")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    require(shutil.which("openssl"), "openssl is not installed")
    return read_compose(made_variables())["services"]


def ask_airflow(environment: dict[str, str], commands: list[list[str]], home: Path) -> dict[str, Any]:
    inherited = {name: os.environ[name] for name in NEEDED_HERE if name in os.environ}
    process = subprocess.run(
        [sys.executable, PROJECT_ROOT / "tests" / "support" / "airflow_probe.py"],
        input=json.dumps(commands),
        env=inherited | environment | {"AIRFLOW_HOME": str(home)},
        cwd=home,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return json.loads(process.stdout.splitlines()[-1])


def commands_of(services: dict[str, Any]) -> list[list[str]]:
    plain = [service["command"].split() for service in services.values() if isinstance(service.get("command"), str)]
    script = services["airflow-init"]["command"][0].splitlines()
    checks = [service["healthcheck"]["test"][-1] for service in services.values() if "healthcheck" in service]
    return plain + [shlex.split(line)[1:] for line in [*script, *checks] if line.startswith("airflow ")]


@pytest.fixture(scope="module")
def answer(services: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return ask_airflow(services["flower"]["environment"], commands_of(services), tmp_path_factory.mktemp("airflow"))


def test_every_setting_is_airflow_s_own_and_valid(answer: dict[str, Any]) -> None:
    assert answer["problems"] == []


def test_executor_and_auth_manager_load(answer: dict[str, Any]) -> None:
    assert (answer["executor"], answer["auth_manager"]) == ("CeleryExecutor", "FabAuthManager")


def test_every_command_is_airflow_s_own(services: dict[str, Any], answer: dict[str, Any]) -> None:
    commands = commands_of(services)
    assert ["celery", "worker"] in commands
    assert ["db", "migrate"] in commands
    assert any(command[:2] == ["jobs", "check"] for command in commands)
    assert answer["unknown_commands"] == []


def test_probe_finds_what_is_wrong(services: dict[str, Any], tmp_path: Path) -> None:
    wrong = {
        "AIRFLOW__WEBSERVER__WORKERS": "4",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "maybe",
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "many",
    }
    commands = [["webserver"], ["celery", "wrok"], ["scheduler"]]
    answer = ask_airflow(services["airflow-worker"]["environment"] | wrong, commands, tmp_path)
    assert [problem.split(":")[0].split()[0] for problem in answer["problems"]] == sorted(wrong)
    assert answer["unknown_commands"] == commands[:2]


def test_every_line_of_init_is_a_command_that_is_there(services: dict[str, Any]) -> None:
    lines = [shlex.split(line) for line in services["airflow-init"]["command"][0].splitlines()]
    assert {line[0] for line in lines} == {"airflow", "apogee-labels"}
    ours = [
        [word for word in line[1:] if word not in (">", "/tmp/pools.json")] for line in lines if line[0] != "airflow"
    ]
    assert ours == [["pools"], ["catalog", "create"]]
    for words in ours:
        output_of(*words, "--help")


def test_secrets_of_the_example_are_good_enough(services: dict[str, Any]) -> None:
    environment = services["airflow-worker"]["environment"]
    Fernet(environment["AIRFLOW__CORE__FERNET_KEY"])
    assert len(environment["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64  # HS512 wants as many bytes as its digest has


def test_databases_name_their_driver(services: dict[str, Any]) -> None:
    environment = services["airflow-worker"]["environment"]
    urls = [
        environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        environment["AIRFLOW__CELERY__RESULT_BACKEND"].removeprefix("db+"),
        environment["APOGEE_LABELS_CATALOG_URL"],
    ]
    assert {sa.make_url(url).drivername for url in urls} == {"postgresql+psycopg2"}
    assert [sa.make_url(url).database for url in urls] == ["airflow", "airflow", "apogee_cannon"]
    assert {sa.make_url(url).host for url in urls} <= set(services)
