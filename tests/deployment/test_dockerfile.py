"""The Dockerfile: the lock's Python and Airflow, nobody's password, and only what is in the repository."""

from __future__ import annotations

import re

import pytest

from tests.support.compose import PROJECT_ROOT, read_compose
from tests.support.locks import version_of


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    text = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, rest in (line.split(maxsplit=1) for line in lines)]


def of(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for found, rest in instructions if found == name]


def test_python_is_the_one_that_the_lock_begins_with(instructions: list[tuple[str, str]]) -> None:
    (base,) = of(instructions, "FROM")
    image = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-[a-z]+", base)
    assert image, f"{base} is not pinned to a version and a distribution"
    assert f"--python-version {image[1]} " in (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")


def test_image_is_named_after_the_lock_s_airflow() -> None:
    services = read_compose()["services"]
    images = {service["image"] for service in services.values() if "build" in service}
    assert images == {f"apogee-cannon-airflow:{version_of('apache-airflow')}"}
    assert version_of("apache-airflow-core") == version_of("apache-airflow")


def test_installs_the_lock_and_nothing_else(instructions: list[tuple[str, str]]) -> None:
    runs = " && ".join(of(instructions, "RUN"))
    assert re.findall(r"pip install ([^&]*?) &&", runs) == ["--no-deps --requirement /tmp/requirements.txt"]
    assert "requirements.txt /tmp/requirements.txt" in of(instructions, "COPY")
    assert "apt-get" not in runs


def test_copies_what_is_there_and_what_the_context_lets_through(instructions: list[tuple[str, str]]) -> None:
    sources = [re.sub(r"--chown=\S+ ", "", copy).split()[0] for copy in of(instructions, "COPY")]
    ignored = (PROJECT_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {"dags", "plugins", "include", "config"} < set(sources)
    for source in sources:
        assert (PROJECT_ROOT / source).exists()
        assert f"!{source}" in ignored
    assert "*" in ignored


def test_compiles_what_tasks_import(instructions: list[tuple[str, str]]) -> None:
    compiled = instructions.index(("RUN", "python -m compileall -q config include plugins"))
    assert compiled > max(number for number, (name, _) in enumerate(instructions) if name == "COPY")


def test_runs_as_nobody_in_particular(instructions: list[tuple[str, str]]) -> None:
    assert instructions.index(("USER", "airflow")) > max(
        number for number, (name, _) in enumerate(instructions) if name in ("RUN", "COPY")
    )


def test_environment_has_the_path_and_no_secret(instructions: list[tuple[str, str]]) -> None:
    environment = dict(pair.split("=", 1) for line in of(instructions, "ENV") for pair in line.split())
    assert environment["PYTHONPATH"].split(":") == ["/opt/airflow", "/opt/airflow/plugins"]
    assert not [name for name in environment if re.search("SECRET|PASSWORD|KEY|TOKEN|URL|CONN", name)]
    assert of(instructions, "ARG") == []
