"""`make run` in folders of its own: what a new user sees, started once for all tests of this folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from apogee_labels.catalog import Catalog
from apogee_local.environment import COMMAND, Installation
from apogee_local.rest import AirflowRest

SERVING = "It serves until you press Ctrl-C."


@dataclass
class LocalRun:
    """A running `apogee-labels run`, and what it has printed up to its report."""

    installation: Installation
    process: subprocess.Popen[str]
    output: str


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(folder: Path, *options: str) -> list[str]:
    """The command line of `make run`, with folders of a test's own."""
    return [COMMAND, "run", "--home", f"{folder}/home", "--data", f"{folder}/data", *options]


def environment(port: int) -> dict[str, str]:
    """The environment of a user who has just installed."""
    return os.environ | {"AIRFLOW_PORT": str(port), "PYTHONUNBUFFERED": "1"}


def catalog_of(installation: Installation) -> Catalog:
    """The catalogue of an installation."""
    return Catalog.open(f"sqlite:///{installation.data_dir / 'catalog.db'}")


def family(pid: int) -> list[psutil.Process]:
    """A process and everything that it started."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


@pytest.fixture(scope="session")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """Start it, wait for its report, and end it with Ctrl-C after the tests."""
    folder, port = tmp_path_factory.mktemp("make-run"), free_port()
    process = subprocess.Popen(
        command(folder), env=environment(port), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if SERVING in line:
            break
    run = LocalRun(Installation(folder / "home", folder / "data", port), process, "".join(lines))
    yield run
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture
def rest(local_run: LocalRun) -> Iterator[AirflowRest]:
    """A client that is logged in to the running Airflow."""
    assert SERVING in local_run.output, f"make run did not come to its report:\n{local_run.output}"
    with AirflowRest(local_run.installation.url, "admin", local_run.installation.password) as client:
        yield client
