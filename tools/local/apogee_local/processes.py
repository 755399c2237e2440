"""Start Airflow's processes, see that they are well, and leave none behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from apogee_airflow.pools import pools

COMPONENTS: dict[str, Sequence[str]] = {
    "api-server": ("api-server",),
    # The log servers of these two listen on all interfaces; on one machine the UI reads the files themselves.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
ENDING_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
DEFAULT_PARALLELISM = 32
"""Airflow's own ``[core] parallelism``."""
MAX_RESTARTS = 3
"""How often a process is started again before that is an error."""
STOP_SECONDS = 20.0
"""How long a process may take to end by itself."""


class AirflowError(RuntimeError):
    """Airflow does not do what it should; the message says where to look."""


def airflow_command(*arguments: str) -> list[str]:
    """Return the command line of ``airflow`` in this very Python environment."""
    return [sys.executable, "-m", "airflow", *arguments]


def run_airflow(environment: Mapping[str, str], *arguments: str, timeout: float = 300.0) -> str:
    """Run an airflow command to its end and return what it printed.

    Raises
    ------
    AirflowError
        It failed; the message ends with its last lines.
    """
    command = airflow_command(*arguments)
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise AirflowError(f"`airflow {' '.join(arguments)}` failed with code {done.returncode}:\n{tail}")
    return done.stdout


def make_database(environment: Mapping[str, str]) -> None:
    """Make or upgrade Airflow's database, and the project's pools in the sizes that suit `environment`.

    Raises
    ------
    AirflowError
        Airflow refuses; the message ends with its last lines.
    """
    run_airflow(environment, "db", "migrate")
    path = Path(environment["AIRFLOW_HOME"]) / "pools.json"
    path.write_text(json.dumps(pools(int(environment.get("AIRFLOW__CORE__PARALLELISM", DEFAULT_PARALLELISM)))))
    run_airflow(environment, "pools", "import", str(path))


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class AirflowProcesses:
    """Airflow's four processes, each with a log file below ``<home>/logs/processes``."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.logs = Path(environment["AIRFLOW_HOME"]) / "logs" / "processes"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.restarts: Counter[str] = Counter()

    def start(self, *names: str) -> None:
        """Start processes by name; all of them without one."""
        self.logs.mkdir(parents=True, exist_ok=True)
        for name in names or COMPONENTS:
            with self.log_path(name).open("ab") as log:
                self.running[name] = subprocess.Popen(
                    airflow_command(*COMPONENTS[name]),
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    # A session of its own: Ctrl-C reaches us alone, and we end them in order.
                    start_new_session=True,
                )

    def log_path(self, name: str) -> Path:
        """Where a process writes."""
        return self.logs / f"{name}.log"

    def check(self) -> None:
        """Raise when a process has ended that should be running.

        Raises
        ------
        AirflowError
            The message names the process, its log file, and shows the log's end.
        """
        for name, process in self.running.items():
            if process.poll() is not None:
                tail = "\n".join(self.log_path(name).read_text(errors="replace").splitlines()[-15:])
                raise AirflowError(
                    f"Airflow's {name} ended with code {process.returncode}; its log is {self.log_path(name)}:\n{tail}"
                )

    def keep_running(self) -> None:
        """Start again what has ended, as a container's ``restart: always`` would, a few times.

        Airflow's scheduler ends when the embedded database answers it unluckily (on SQLite there are no row locks); what it
        was doing goes on after its restart.

        Raises
        ------
        AirflowError
            A process ends again and again; the message is that of :meth:`check`.
        """
        for name in [name for name, process in self.running.items() if process.poll() is not None]:
            if self.restarts[name] >= MAX_RESTARTS:
                self.check()
            self.restarts[name] += 1
            code = self.running[name].returncode
            self.stop(name)
            self.start(name)
            print(
                f"      {name} ended with code {code} and was started again; its log: {self.log_path(name)}", flush=True
            )

    def stop(self, *names: str) -> None:
        """End processes by name, all of them without one, with everything that they started."""
        stopping = {name: self.running.pop(name) for name in names or tuple(self.running)}
        families = {name: _family(process) for name, process in stopping.items()}
        for name, process in stopping.items():
            # Airflow's processes end their own children; those of one that crashed are told by us.
            for told in (process,) if process.poll() is None else families[name]:
                _signal(told.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs([each for family in families.values() for each in family], timeout=STOP_SECONDS)
        for relative in alive:
            _signal(relative.pid, signal.SIGKILL)
        for process in stopping.values():
            process.wait()

    def kill(self, name: str) -> None:
        """End a process at once, as a crash would: for tests of what survives it."""
        process = self.running.pop(name)
        for relative in _family(process):
            _signal(relative.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def airflow_processes(environment: Mapping[str, str]) -> Iterator[AirflowProcesses]:
    """Run Airflow's processes for the length of a block."""
    processes = AirflowProcesses(environment)
    try:
        processes.start()
        yield processes
    finally:
        # A second Ctrl-C, or the terminal's hang-up, must not leave half of them running: stopping takes a bounded time.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        processes.stop()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)


def wait_until_healthy(processes: AirflowProcesses, url: str, timeout: float = 180.0) -> None:
    """Wait until all four say that they are well.

    Raises
    ------
    AirflowError
        One of them ended, or is not well in time; the message says which.
    """
    import httpx

    deadline, ill = time.monotonic() + timeout, list(COMPONENTS)
    while time.monotonic() < deadline:
        processes.check()
        try:
            health = httpx.get(f"{url}/api/v2/monitor/health", timeout=5.0).json()
        except (httpx.HTTPError, ValueError):
            health = {}
        parts = {"scheduler": "scheduler", "dag_processor": "dag-processor", "triggerer": "triggerer"}
        ill = [name for key, name in parts.items() if (health.get(key) or {}).get("status") != "healthy"]
        if health and not ill:
            return
        time.sleep(0.5)
    raise AirflowError(f"not healthy after {timeout:.0f} s: {', '.join(ill)}; their logs are in {processes.logs}.")


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """A process with its descendants, and what is left of its session: that outlives a process that crashed."""
    family = {relative for relative in psutil.process_iter() if _session(relative.pid) == process.pid}
    if process.poll() is None:  # otherwise its number may be another's by now
        parent = psutil.Process(process.pid)
        family |= {parent, *parent.children(recursive=True)}
    return list(family)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
