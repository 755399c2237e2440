"""DAGs, run in this process by ``dag.test`` over one Airflow database a session."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apogee_airflow.pools import pools

if TYPE_CHECKING:
    from airflow.models import DagRun

ROOT = Path(__file__).resolve().parents[2]


def airflow(*arguments: str) -> str:
    """Run an airflow command with this session's settings and return what it says on its standard output.

    Raises
    ------
    subprocess.CalledProcessError
        The command fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    return done.stdout


@functools.cache
def make_airflow_database() -> None:
    """Make Airflow's database with the project's pools, once for all test modules of a session."""
    airflow("db", "migrate")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pools.json"
        path.write_text(json.dumps(pools(slots=4)))
        airflow("pools", "import", str(path))


def run_dag(dag_id: str, logical_date: datetime | None = None, **conf: Any) -> DagRun:
    """Run a DAG to its end in this process, with `conf` as its params."""
    from airflow.dag_processing.dagbag import DagBag

    # A fresh parse: the DAG files read the settings when they are loaded.
    dag = DagBag(dag_folder=str(ROOT / "dags")).dags[dag_id]
    return dag.test(run_conf=conf, logical_date=logical_date)


def states(run: DagRun) -> dict[str, list[str]]:
    """States of a run's task instances by task, in the order of their map index."""
    found: dict[str, list[str]] = {}
    for item in sorted(run.get_task_instances(), key=lambda item: (item.task_id, item.map_index)):
        found.setdefault(item.task_id, []).append(str(item.state))
    return found


def events_of(run: DagRun) -> dict[str, dict[str, Any]]:
    """What a run said about the assets that it made, by their names."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(AssetModel.name, AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
    with create_session() as session:
        found = session.execute(
            query.where(AssetEvent.source_run_id == run.run_id, AssetEvent.source_dag_id == run.dag_id)
        )
        return {name: dict(extra) for name, extra in found}
