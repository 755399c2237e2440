"""Nights through a real Airflow on this machine: LocalExecutor, SQLite, the project's own settings or without some."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from apogee_local.environment import USER, Installation
from apogee_local.processes import AirflowProcesses, airflow_processes, make_database, wait_until_healthy
from apogee_local.rest import FINISHED, AirflowRest
from benchmarks.clock import say
from benchmarks.night.archive import MJD, TELESCOPE, Night
from benchmarks.night.timing import RunTimes, run_times

NIGHTLY = f"apogee_nightly_{TELESCOPE}"
EMPTY = "empty_night"
ROOT = Path(__file__).resolve().parents[2]
LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
HEARTBEAT = ("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS")
_PATIENCE = 3600.0  # s for one run
_ASK_EVERY = 1.0  # s: asking costs the API server little beside what the tasks ask it


@dataclass(frozen=True)
class Variant:
    """Which of the project's settings an Airflow has.

    Parameters
    ----------
    name
        For the table.
    heartbeat
        The short heartbeat interval.
    preload
        The science stack, imported before the tasks are forked.
    """

    name: str
    heartbeat: bool = True
    preload: bool = True

    def environment(self, installation: Installation) -> dict[str, str]:
        """Return the environment of Airflow's processes, with the empty night's DAG beside the project's."""
        environment = installation.environment()
        if not self.heartbeat:
            for name in HEARTBEAT:
                del environment[name]
        if not self.preload:
            del environment["PYTHONPATH"]  # of config/ alone
        bundles = [
            {"name": "dags-folder", "classpath": LOCAL_BUNDLE, "kwargs": {}},
            {"name": "benchmarks", "classpath": LOCAL_BUNDLE, "kwargs": {"path": str(ROOT / "benchmarks" / "dags")}},
        ]
        environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(bundles)
        # No run that nobody asked for: unpausing the nightly DAG would start last night's.
        environment["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = "False"
        return environment


PROJECT = Variant("the project's settings")
VARIANTS = (
    PROJECT,
    Variant("without the science stack preloaded", preload=False),
    Variant("without the short heartbeat", heartbeat=False),
    Variant("with neither", heartbeat=False, preload=False),
)


class RunningAirflow:
    """An Airflow with both DAGs, in which nights are run one after the other."""

    def __init__(self, rest: AirflowRest, processes: AirflowProcesses, night: Night) -> None:
        self._rest = rest
        self._processes = processes
        self._night = night

    def empty_night(self) -> RunTimes:
        """Run the night of tasks that do nothing."""
        return self._run(EMPTY, {"files": len(self._night.files)})

    def nightly(self, max_instances: int = 1000) -> RunTimes:
        """Run the night, all of which is new, in so many instances at most."""
        self._night.forget()
        return self._run(NIGHTLY, {"mjd": MJD, "max_instances": max_instances})

    def _run(self, dag_id: str, conf: Mapping[str, Any]) -> RunTimes:
        before = self._processes_cpu()
        run_id = self._rest.trigger(dag_id, conf)
        deadline = time.monotonic() + _PATIENCE
        while (run := self._rest.get(f"dags/{dag_id}/dagRuns/{run_id}"))["state"] not in FINISHED:
            self._processes.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} {run_id} is {run['state']} after {_PATIENCE:.0f} s.")
            time.sleep(_ASK_EVERY)
        cpu = self._processes_cpu() - before
        times = run_times(run, self._rest.task_instances(dag_id, run_id), cpu)
        say(
            f"  {dag_id}: {times.n_mapped} mapped tasks in {times.mapped:.1f} s, {times.rate:.2f}/s, CPU {times.cpu:.1f} s"
        )
        return times

    def _processes_cpu(self) -> float:
        """CPU seconds that Airflow's processes have spent so far, with those of every task that has ended."""
        spent = 0.0
        for process in self._processes.running.values():
            parent = psutil.Process(process.pid)
            for each in (parent, *parent.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    spent += sum(each.cpu_times()[:4])  # its own, and that of the children that it has waited for
        return spent


@contextmanager
def running_airflow(home: Path, night: Night, variant: Variant = PROJECT) -> Iterator[RunningAirflow]:
    """Start Airflow in a home of its own, over the night's data folder, for the length of a block."""
    say(f"Airflow: {variant.name}")
    installation = Installation(home, night.folder, _free_port())
    environment = variant.environment(installation)
    make_database(environment)
    with airflow_processes(environment) as processes:
        wait_until_healthy(processes, installation.url)
        with AirflowRest(installation.url, USER, installation.password) as rest:
            _unpause(rest, processes)
            yield RunningAirflow(rest, processes, night)


def _unpause(rest: AirflowRest, processes: AirflowProcesses, timeout: float = 120.0) -> None:
    """Wait until both DAGs are parsed, and let them run."""
    deadline = time.monotonic() + timeout
    while not {NIGHTLY, EMPTY} <= {dag["dag_id"] for dag in rest.get("dags", limit=100)["dags"]}:
        processes.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"the DAGs did not appear in {timeout:.0f} s: {rest.get('importErrors')}")
        time.sleep(1.0)
    for dag_id in (NIGHTLY, EMPTY):
        rest.unpause(dag_id)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
