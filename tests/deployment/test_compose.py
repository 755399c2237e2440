"""docker-compose.yaml as it is written: its shape, its pins, its volumes, and no secret in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from apogee_labels.core.settings import PREFIX, Settings
from tests.support.compose import COMPOSE_FILE, PROJECT_ROOT, MissingVariableError, read_compose, scalars
from tests.support.env_example import made_variables, variables_of_example
from tests.support.required import require

SECRET = re.compile("PASSWORD|SECRET|KEY|TOKEN|AUTH(?!_MANAGER)")
OF_AIRFLOW = ("apiserver", "scheduler", "dag-processor", "worker", "triggerer", "init")


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return read_compose()


@pytest.fixture(scope="module")
def variables() -> dict[str, str]:
    require(shutil.which("openssl"), "openssl is not installed")
    return made_variables()


@pytest.fixture(scope="module")
def filled(variables: dict[str, str]) -> dict[str, Any]:
    return read_compose(variables)


def test_has_the_services_that_airflow_s_users_know(written: dict[str, Any]) -> None:
    assert set(written["services"]) == {"postgres", "redis", "flower", *(f"airflow-{name}" for name in OF_AIRFLOW)}
    assert [name for name, service in written["services"].items() if "profiles" in service] == ["flower"]


def test_images_are_pinned(written: dict[str, Any]) -> None:
    for name, service in written["services"].items():
        assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", service["image"]), f"{name}: {service['image']}"


def test_long_running_services_have_health_checks(written: dict[str, Any]) -> None:
    for name, service in written["services"].items():
        if name != "airflow-init":
            assert set(service["healthcheck"]) == {"test", "interval", "timeout", "retries", "start_period"}, name
            assert service["restart"] == "always"


def test_services_wait_for_what_exists_and_can_say_so(written: dict[str, Any]) -> None:
    services = written["services"]
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other == "airflow-init" else "service_healthy"
            assert condition == {"condition": wanted}, f"{name} -> {other}"
            assert other == "airflow-init" or "healthcheck" in services[other]
    for name in OF_AIRFLOW[:-1]:
        assert {"postgres", "redis", "airflow-init"} <= set(services[f"airflow-{name}"]["depends_on"])
    assert "airflow-init" not in services["airflow-init"]["depends_on"]


def test_mounts_are_declared_volumes_or_in_the_repository(filled: dict[str, Any]) -> None:
    mounted = set()
    for name, service in filled["services"].items():
        for mount in service.get("volumes", []):
            source, target = mount.split(":")[:2]
            mounted.add(source)
            assert target.startswith("/"), name
            assert source in filled["volumes"] or (PROJECT_ROOT / source).exists(), f"{name}: {source} is not there"
    assert set(filled["volumes"]) <= mounted, "a declared volume is mounted nowhere"


def test_archive_and_products_can_be_folders_of_the_host(variables: dict[str, str]) -> None:
    services = read_compose(variables | {"SAS_BASE_DIR": "/archive", "DATA_DIR": "/products"})["services"]
    for name in OF_AIRFLOW:
        assert {"/archive:/data/sas", "/products:/data/products"} < set(services[f"airflow-{name}"]["volumes"])


def test_folders_of_the_settings_are_mounted(filled: dict[str, Any]) -> None:
    service = filled["services"]["airflow-worker"]
    targets = {mount.split(":")[1] for mount in service["volumes"]}
    assert {service["environment"][name] for name in ("SAS_BASE_DIR", "APOGEE_LABELS_DATA_DIR")} < targets


def test_ports_stay_on_this_machine_unless_told_otherwise(variables: dict[str, str], filled: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in filled["services"].items() if "ports" in service}
    assert ports == {"airflow-apiserver": ["127.0.0.1:8080:8080"], "flower": ["127.0.0.1:5555:5555"]}
    opened = read_compose(variables | {"AIRFLOW_BIND": "0.0.0.0", "AIRFLOW_PORT": "80"})["services"]  # noqa: S104
    assert opened["airflow-apiserver"]["ports"] == ["0.0.0.0:80:8080"]


def test_every_setting_of_the_project_goes_through(filled: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    names = {PREFIX + name.upper() for name in Settings.model_fields if name != "sas_base_dir"} | {"SAS_BASE_DIR"}
    for name in OF_AIRFLOW:
        environment = filled["services"][f"airflow-{name}"]["environment"]
        assert {key for key in environment if key.startswith(PREFIX) or key == "SAS_BASE_DIR"} == names
    for name in names:
        monkeypatch.setenv(name, environment[name])
    settings = Settings()
    assert settings.catalog_url.endswith("@postgres/apogee_cannon")
    assert settings.training_set == Path("/data/products/training_set.pkl")


def test_airflow_s_services_share_one_environment(filled: dict[str, Any]) -> None:
    common = filled["x-airflow-common"]["environment"]
    for name in OF_AIRFLOW:
        assert common.items() <= filled["services"][f"airflow-{name}"]["environment"].items()


def test_secrets_have_no_default_and_say_how_they_are_made(written: dict[str, Any]) -> None:
    example = variables_of_example()
    found = set()
    for text in scalars(written):
        for name, operator, rest in re.findall(r"\$\{(\w+)(:-|:\?|)([^}]*)\}", text):
            if SECRET.search(name):
                found.add(name)
                assert operator == ":?", f"{name} must be ${{{name}:?made by ...}}"
                assert rest == f"made by {example[name]}, into .env"
    assert found == {name for name in example if SECRET.search(name)}


def test_no_value_is_a_secret(written: dict[str, Any]) -> None:
    for service in written["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRET.search(name):
                assert "${" in value, f"{name} is written out"
    for text in scalars(written):
        assert not re.search(r"://[^/@]*:[^/@]+@", re.sub(r"\$\{[^}]*\}", "", text)), (
            f"a password is written out: {text}"
        )


def test_required_variables_are_those_of_the_example(variables: dict[str, str]) -> None:
    for name in variables:
        with pytest.raises(MissingVariableError, match=f"^{name}: "):
            read_compose(variables | {name: ""})


def test_optional_variables_are_explained_in_the_example(written: dict[str, Any]) -> None:
    optional = {name for text in scalars(written) for name in re.findall(r"\$\{(\w+):-", text)}
    explained = set(re.findall(r"^# ([A-Z_]+)=", (PROJECT_ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    assert optional == explained


def test_env_is_not_in_the_repository() -> None:
    assert ".env" in (PROJECT_ROOT / ".gitignore").read_text("utf-8").split()


def test_compose_itself_accepts_the_file(tmp_path: Path, variables: dict[str, str]) -> None:
    commands = [["docker", "compose"], ["docker-compose"]]
    for command in commands:
        known = (
            shutil.which(command[0])
            and not subprocess.run([*command, "version"], capture_output=True, check=False).returncode
        )
        if known:
            break
    require(known, "neither `docker compose` nor docker-compose is installed: apt-get install docker-compose")
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    checked = subprocess.run(
        [*command, "--env-file", env_file, "--file", COMPOSE_FILE, "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr
