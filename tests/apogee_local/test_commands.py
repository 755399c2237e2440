"""What the commands of a local Airflow refuse at their start, and whose environment they give to others."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from apogee_local.environment import COMMAND
from tests.support.command import call, output_of


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Keep this process's own: a command puts another in its place."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("port", ["", "abc", "80", "70000", "-1", "8080.0"])
def test_a_port_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: str) -> None:
    monkeypatch.setenv("AIRFLOW_PORT", port)
    result = call("run", "--home", tmp_path / "home", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "expected a port from 1024 to 65535" in result.stderr


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_port_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("AIRFLOW_PORT", str(taken.getsockname()[1]))
        result = call(command, "--home", tmp_path / "home", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "is taken" in result.stderr
    assert not (tmp_path / "home").exists(), "asking makes nothing"


def test_a_setting_of_before_is_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APOGEE_CANNON_RELEASE", "dr16")
    monkeypatch.setenv("AIRFLOW_PORT", "28999")
    result = call("serve", "--home", tmp_path / "home", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "APOGEE_LABELS_RELEASE" in result.stderr


def test_a_command_is_for_the_local_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not for the one that the caller's environment names; and its lines name airflow as it is called there."""
    monkeypatch.setenv("APOGEE_LABELS_DATA_DIR", str(tmp_path / "other"))
    folders = ("--home", str(tmp_path / "a home"), "--data", str(tmp_path / "data"))
    (line,) = output_of("local", *folders, "nights", "backfill", "59280", "--telescope", "apo25m").splitlines()
    assert line.startswith(
        f"{COMMAND} local --home '{tmp_path}/a home' --data {tmp_path}/data airflow backfill create "
    )
    assert os.environ["APOGEE_LABELS_DATA_DIR"] == str(tmp_path / "data")
    assert not (tmp_path / "other").exists()
    line = output_of("local", "nights", "backfill", "59280", "--telescope", "apo25m")
    assert line.startswith(f"{COMMAND} local airflow backfill create ")
    assert call("local", *folders, "nights", "show", "soon").exit_code == 1
    assert call("local", *folders, "nights", "nothing").exit_code == 2


def test_signals_do_afterwards_what_they_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is forked later would not end by SIGTERM."""
    seen = []
    monkeypatch.setattr("apogee_local.run.run", lambda *_, **__: seen.append(signal.getsignal(signal.SIGTERM)) or True)
    before = signal.getsignal(signal.SIGTERM)
    assert call("serve", "--home", tmp_path / "home", "--data", tmp_path / "data").exit_code == 0
    assert signal.getsignal(signal.SIGTERM) == before
    assert seen != [before]
