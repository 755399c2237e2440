"""A local Airflow for a test that lives through weeks: asks for backfills, waits, and says what it saw when it gives up."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apogee_labels.apogee.archive.nights import observatory
from apogee_local.processes import AirflowError, AirflowProcesses
from apogee_local.rest import FINISHED, AirflowRest

ASK_AGAIN = 20.0
"""Seconds after which a backfill without its runs is asked for again: a busy SQLite makes Airflow take them back."""
DAGS = {"apo25m": "apogee_nightly_apo25m", "lco25m": "apogee_nightly_lco25m"}
QUICK: Mapping[str, str] = {
    # What was lost with a process is looked for at once, not after the minutes that suit a cluster.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}


@dataclass
class Nightly:
    """The nightly DAGs of a running Airflow, and the catalogue that they write."""

    rest: AirflowRest
    processes: AirflowProcesses
    catalog: Path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the catalogue, in plain SQL."""
        with closing(sqlite3.connect(f"file:{self.catalog}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()

    def until(self, what: str, condition: Callable[[], object], timeout: float = 240.0) -> None:
        """Wait; a process of Airflow that ended by itself is started again.

        Raises
        ------
        AirflowError
            It did not come true; the message shows the runs' states and the ends of the processes' logs.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            self.processes.keep_running()
            if time.monotonic() > deadline:
                raise AirflowError(f"after {timeout:.0f} s still not: {what}\n{self.tell()}")
            time.sleep(0.5)

    def backfill(self, telescope: str, mjds: Sequence[int], *, reprocess: str = "none") -> None:
        """Ask for a backfill over the nights from the first to the last of `mjds`, when the one before it is closed.

        Airflow closes a backfill some seconds after its last run has ended, and refuses another one until then.
        """
        first, last = (observatory(telescope).interval(mjd)[0].isoformat() for mjd in (mjds[0], mjds[-1]))
        dag_id = DAGS[telescope]
        self.until(f"{dag_id} has no open backfill", lambda: not self._open_backfills(dag_id))
        # Paused while the runs are made: the scheduler must not see those that Airflow takes back.
        self.rest.pause(dag_id)
        for _ in range(3):
            self.rest.backfill(dag_id, first, last, reprocess=reprocess, max_active_runs=4)
            if self._all_there(telescope, mjds):
                break
        self.rest.unpause(dag_id)

    def wait_for_backfill(self, telescope: str, mjds: Sequence[int]) -> None:
        """Wait until the backfill's runs have ended."""
        self.until(
            f"{telescope}: the backfill of {mjds[0]} to {mjds[-1]} has ended",
            lambda: (
                set(self.backfilled(telescope)) >= set(mjds)
                and all(state in FINISHED for mjd, state in self.backfilled(telescope).items() if mjd in mjds)
            ),
        )

    def backfilled(self, telescope: str) -> dict[int, str]:
        """The states of the backfills' runs by their MJD."""
        return {mjd: run["state"] for mjd, run in self.by_mjd(telescope, "backfill").items()}

    def by_mjd(self, telescope: str, kind: str) -> dict[int, dict[str, Any]]:
        """The runs of a kind (backfill, scheduled) by their MJD."""
        runs = [run for run in self.rest.runs(DAGS[telescope]) if run["run_type"] == kind]
        site = observatory(telescope)
        return {site.mjd(_moment(run["data_interval_start"])): run for run in runs}

    def task_states(self, telescope: str, run_id: str) -> dict[str, str]:
        """The state of each task of a run; of a mapped one, that of any instance."""
        return {item["task_id"]: item["state"] for item in self.rest.task_instances(DAGS[telescope], run_id)}

    def n_running(self) -> int:
        """How many task instances run now."""
        answer = self.rest.get("dags/~/dagRuns/~/taskInstances", state="running", limit=100)
        return int(answer["total_entries"])

    def tell(self) -> str:
        """The runs' states, what is not done in those that are not, and the ends of the logs."""
        lines = []
        for telescope, dag_id in DAGS.items():
            runs = self.rest.runs(dag_id)
            lines.append(f"{dag_id}: {dict(Counter((run['run_type'], run['state']) for run in runs))}")
            lines += [
                f"  {run['dag_run_id']}: {run['state']} {self.task_states(telescope, run['dag_run_id'])}"
                for run in [run for run in runs if run["state"] != "success"][:8]
            ]
        for path in sorted(self.processes.logs.glob("*.log")):
            lines += [f"--- {path.name}", *path.read_text(errors="replace").splitlines()[-12:]]
        return "\n".join(lines)

    def _open_backfills(self, dag_id: str) -> list[dict[str, Any]]:
        found = self.rest.get("backfills", dag_id=dag_id, limit=100)["backfills"]
        return [backfill for backfill in found if backfill["completed_at"] is None]

    def _all_there(self, telescope: str, mjds: Sequence[int]) -> bool:
        deadline = time.monotonic() + ASK_AGAIN
        while time.monotonic() < deadline:
            if set(self.backfilled(telescope)) >= set(range(mjds[0], mjds[-1] + 1)):
                return True
            time.sleep(0.5)
        return False


def _moment(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)
