"""The Dockerfile: the lock's Python and Airflow, nobody's password, and only what is in the repository."""

from __future__ import annotations

import re
import tomllib

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
    base, *stages = of(instructions, "FROM")
    image = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-[a-z]+ AS locked", base)
    assert image, f"{base} is not pinned to a version and a distribution"
    assert stages == ["locked AS wheel", "locked"]
    assert f"--python-version {image[1]} " in (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")


def test_image_is_named_after_the_lock_s_airflow() -> None:
    services = read_compose()["services"]
    images = {service["image"] for service in services.values() if "build" in service}
    assert images == {f"apogee-cannon-airflow:{version_of('apache-airflow')}"}
    assert version_of("apache-airflow-core") == version_of("apache-airflow")


def test_installs_the_lock_the_wheel_and_nothing_else(instructions: list[tuple[str, str]]) -> None:
    runs = " && ".join(of(instructions, "RUN"))
    assert re.findall(r"pip (install|wheel) ([^&]*?)(?: &&|$)", runs) == [
        ("install", "--no-deps --requirement /tmp/requirements.txt"),
        ("wheel", "--no-deps --no-build-isolation --wheel-dir /dist ."),
        ("install", "--no-deps /tmp/dist/*.whl"),
    ]
    assert "requirements.txt /tmp/requirements.txt" in of(instructions, "COPY")
    assert "--from=wheel /dist /tmp/dist" in of(instructions, "COPY")
    assert "apt-get" not in runs


def copied(instructions: list[tuple[str, str]]) -> list[str]:
    """What the image takes from the checkout."""
    lines = (re.sub(r"--chown=\S+ ", "", line) for line in of(instructions, "COPY") if "--from" not in line)
    return [source for line in lines for source in line.split()[:-1]]


def test_copies_what_is_there_and_what_the_context_lets_through(instructions: list[tuple[str, str]]) -> None:
    ignored = (PROJECT_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for source in copied(instructions):
        assert (PROJECT_ROOT / source).exists()
        assert f"!{source}" in ignored
    assert "*" in ignored
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert let_through == set(copied(instructions)), "what is not copied has no business in the context"


def test_the_wheel_is_built_from_all_that_it_holds(instructions: list[tuple[str, str]]) -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    target = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {path.split("/")[0] for path in [*target["packages"], *target["force-include"]]}
    needed |= {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"}
    assert needed <= set(copied(instructions))


def test_compiles_what_tasks_import(instructions: list[tuple[str, str]]) -> None:
    """Pip compiles what it installs; the preloading of config/ is not a part of that."""
    compiled = instructions.index(("RUN", "python -m compileall -q config"))
    assert compiled > max(number for number, (name, _) in enumerate(instructions) if name == "COPY")


def test_runs_as_nobody_in_particular(instructions: list[tuple[str, str]]) -> None:
    assert instructions.index(("USER", "airflow")) > max(
        number for number, (name, _) in enumerate(instructions) if name in ("RUN", "COPY")
    )


def test_environment_has_no_path_and_no_secret(instructions: list[tuple[str, str]]) -> None:
    environment = dict(pair.split("=", 1) for line in of(instructions, "ENV") for pair in line.split())
    assert environment["AIRFLOW_HOME"] == "/opt/airflow", "where dags/ and config/ are"
    assert "PYTHONPATH" not in environment, "the code is installed"
    assert not [name for name in environment if re.search("SECRET|PASSWORD|KEY|TOKEN|URL|CONN", name)]
    assert of(instructions, "ARG") == []
