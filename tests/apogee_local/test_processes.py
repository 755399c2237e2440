"""Airflow's processes, with stand-ins: started, watched, and none left behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from apogee_local import processes as subject
from apogee_local.processes import (
    AirflowError,
    AirflowProcesses,
    airflow_processes,
    port_is_free,
    run_airflow,
    wait_until_healthy,
)
from tests.apogee_airflow.conftest import Server

STAND_IN = """
import os, signal, subprocess, sys, time
name, behaviour = sys.argv[1:3]
if behaviour == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "300"])
if behaviour == "mild":
    signal.signal(signal.SIGTERM, lambda *_: (child.terminate(), child.wait(), sys.exit(0)))
print(name, "is up", flush=True)
with open(os.path.join(os.environ["AIRFLOW_HOME"], name + ".pids.part"), "w") as stream:
    stream.write(f"{os.getpid()} {child.pid}")
os.rename(stream.name, stream.name[:-5])
if behaviour == "failing":
    print("the database is not there", flush=True)
    sys.exit(3)
time.sleep(300)
"""


class Zoo:
    """Stand-ins for Airflow's components: what each does, and which processes it made."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.behaviour = dict.fromkeys(subject.COMPONENTS, "mild")
        self.known: set[int] = set()

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", STAND_IN, arguments[0], self.behaviour[arguments[0]]]

    def family(self, name: str) -> list[int]:
        """The stand-in's process and its child's, once it is up."""
        path, deadline = self.home / f"{name}.pids", time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        pids = [int(word) for word in path.read_text().split()]
        self.known |= set(pids)
        return pids


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pids: list[int], seconds: float = 2.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, pids))


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zoo]:
    zoo = Zoo(tmp_path)
    monkeypatch.setattr(subject, "airflow_command", zoo.command)
    monkeypatch.setattr(subject, "STOP_SECONDS", 5.0)
    yield zoo
    for pid in zoo.known:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"AIRFLOW_HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def test_all_components_start_and_none_is_left(zoo: Zoo, environment: dict[str, str]) -> None:
    with airflow_processes(environment) as processes:
        pids = [pid for name in subject.COMPONENTS for pid in zoo.family(name)]
        processes.check()
        assert all(map(alive, pids))
        assert "scheduler is up" in processes.log_path("scheduler").read_text()
        assert set(processes.running) == set(subject.COMPONENTS)
    assert gone(pids)
    assert processes.running == {}


def test_none_is_left_when_the_block_fails(zoo: Zoo, environment: dict[str, str]) -> None:
    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt), airflow_processes(environment):  # noqa: PT012 - the block is the subject
        pids += zoo.family("scheduler")
        raise KeyboardInterrupt
    assert gone(pids)


def test_signals_that_end_us_are_heard_again_afterwards(zoo: Zoo, environment: dict[str, str]) -> None:
    with airflow_processes(environment):
        zoo.family("scheduler")
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & subject.ENDING_SIGNALS


def test_a_process_that_does_not_end_by_itself_is_ended(
    zoo: Zoo, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "STOP_SECONDS", 0.3)
    zoo.behaviour["scheduler"] = "stubborn"
    processes = AirflowProcesses(environment)
    processes.start("scheduler")
    pids = zoo.family("scheduler")
    processes.stop("scheduler")
    assert gone(pids)


def test_a_child_that_its_parent_forgets_is_ended(
    zoo: Zoo, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "STOP_SECONDS", 0.3)
    zoo.behaviour["scheduler"] = "aloof"
    processes = AirflowProcesses(environment)
    processes.start("scheduler")
    pids = zoo.family("scheduler")
    processes.stop()
    assert gone(pids)


def test_a_process_that_ended_is_named_with_its_log(zoo: Zoo, environment: dict[str, str]) -> None:
    zoo.behaviour["triggerer"] = "failing"
    processes = AirflowProcesses(environment)
    processes.start("scheduler", "triggerer")
    zoo.family("scheduler")
    zoo.family("triggerer")
    processes.running["triggerer"].wait(10)
    try:
        with pytest.raises(AirflowError, match="triggerer ended with code 3") as caught:
            processes.check()
    finally:
        processes.stop()
    assert str(processes.log_path("triggerer")) in str(caught.value)
    assert "the database is not there" in str(caught.value)


def test_the_children_of_a_process_that_ended_are_ended_with_the_others(
    zoo: Zoo, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that crashed leaves its workers; they belong to nobody, and would hold the database."""
    monkeypatch.setattr(subject, "STOP_SECONDS", 0.3)
    zoo.behaviour["scheduler"] = "failing"
    processes = AirflowProcesses(environment)
    processes.start("scheduler")
    _, child = zoo.family("scheduler")
    processes.running["scheduler"].wait(10)
    assert alive(child)
    processes.stop()
    assert gone([child])


def test_what_ends_is_started_again_but_not_for_ever(
    zoo: Zoo, environment: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "STOP_SECONDS", 0.3)
    zoo.behaviour["triggerer"] = "failing"
    processes = AirflowProcesses(environment)
    processes.start("scheduler", "triggerer")
    first = zoo.family("scheduler")
    try:
        for _ in range(subject.MAX_RESTARTS):
            zoo.family("triggerer")
            processes.running["triggerer"].wait(10)
            (zoo.home / "triggerer.pids").unlink()
            processes.keep_running()
        zoo.family("triggerer")
        processes.running["triggerer"].wait(10)
        with pytest.raises(AirflowError, match="triggerer ended with code 3"):
            processes.keep_running()
        assert all(map(alive, first)), "the others go on"
    finally:
        processes.stop()
    assert capsys.readouterr().out.count("triggerer ended with code 3 and was started again") == subject.MAX_RESTARTS


def test_one_can_be_killed_and_started_again(zoo: Zoo, environment: dict[str, str]) -> None:
    with airflow_processes(environment) as processes:
        others = [pid for name in ("api-server", "triggerer") for pid in zoo.family(name)]
        killed = zoo.family("scheduler")
        processes.kill("scheduler")
        assert gone(killed, 1)
        assert all(map(alive, others))
        processes.check()
        (zoo.home / "scheduler.pids").unlink()
        processes.start("scheduler")
        again = zoo.family("scheduler")
        assert all(map(alive, again))
    assert gone(again + others)


def test_a_command_gives_what_it_printed_or_its_last_lines(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    def command(*arguments: str) -> list[str]:
        code = "import sys; [print('line', n) for n in range(30)]; sys.exit(int(sys.argv[1]))"
        return [sys.executable, "-I", "-S", "-c", code, arguments[0]]

    monkeypatch.setattr(subject, "airflow_command", command)
    assert run_airflow(environment, "0").splitlines()[0] == "line 0"
    with pytest.raises(AirflowError, match=r"`airflow 7` failed with code 7:\nline 15\n") as caught:
        run_airflow(environment, "7")
    assert str(caught.value).endswith("line 29")


def test_the_command_is_of_this_very_python() -> None:
    assert subject.airflow_command("db", "migrate") == [sys.executable, "-m", "airflow", "db", "migrate"]


def test_a_port_is_free_or_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not port_is_free(port)
    assert port_is_free(port)


def health(**ill: str) -> bytes:
    import json

    parts = {"metadatabase": "healthy", "scheduler": "healthy", "dag_processor": "healthy", "triggerer": "healthy"}
    return json.dumps({key: {"status": value} for key, value in (parts | ill).items()}).encode()


def test_it_waits_until_all_are_well(environment: dict[str, str], server: Server) -> None:
    server.answers["GET /api/v2/monitor/health"] = [(200, b"not json"), (200, health())]
    wait_until_healthy(AirflowProcesses(environment), server.base, timeout=10)
    assert len(server.asked) == 2


def test_it_says_which_is_not_well(environment: dict[str, str], server: Server) -> None:
    server.answers["GET /api/v2/monitor/health"] = (200, health(triggerer="unhealthy"))
    with pytest.raises(AirflowError, match="not healthy after 1 s: triggerer; "):
        wait_until_healthy(AirflowProcesses(environment), server.base, timeout=0.6)


def test_it_does_not_wait_for_a_process_that_ended(zoo: Zoo, environment: dict[str, str], server: Server) -> None:
    zoo.behaviour["api-server"] = "failing"
    processes = AirflowProcesses(environment)
    processes.start("api-server")
    zoo.family("api-server")
    processes.running["api-server"].wait(10)
    try:
        with pytest.raises(AirflowError, match="api-server ended"):
            wait_until_healthy(processes, server.base)
    finally:
        processes.stop()
