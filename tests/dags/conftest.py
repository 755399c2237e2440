"""DAGs, run in one process by `dag.test`, over a database of their own and data of each test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from apogee_cannon.pools import POOLS

from include.catalog import Catalog
from include.settings import Settings
from include.simulation.survey import SyntheticSurvey

if TYPE_CHECKING:
    from airflow.models import DagRun

ROOT = Path(__file__).resolve().parents[2]


def airflow(*arguments: str) -> None:
    """Run an airflow command with this session's settings."""
    subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"},
    )


@pytest.fixture(scope="session")
def airflow_database(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Airflow's database, with the project's pools."""
    airflow("db", "migrate")
    pools = tmp_path_factory.mktemp("pools") / "pools.json"
    pools.write_text(json.dumps(POOLS))
    airflow("pools", "import", str(pools))


@pytest.fixture(scope="session")
def small_survey(tmp_path_factory: pytest.TempPathFactory) -> SyntheticSurvey:
    """An archive of two nights with 12 stars, and a training set beside it."""
    folder = tmp_path_factory.mktemp("survey")
    survey = SyntheticSurvey(folder / "sas", n_stars=12, nights=2)
    survey.observe_all()
    survey.write_training_set(folder / "training_set.pkl", 120)
    return survey


@pytest.fixture
def installation(tmp_path: Path, small_survey: SyntheticSurvey, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation of this test's own, with the small survey's files in its archive."""
    import shutil

    data_dir = tmp_path / "data"
    shutil.copytree(small_survey.root.parent, data_dir)
    monkeypatch.setenv("APOGEE_CANNON_DATA_DIR", str(data_dir))
    return Settings()


@pytest.fixture
def survey(installation: Settings) -> SyntheticSurvey:
    """The survey as it lies in this test's archive."""
    return SyntheticSurvey(installation.sas_base_dir, n_stars=12, nights=2)


@pytest.fixture
def catalog(installation: Settings) -> Iterator[Catalog]:
    """The catalogue of this test alone."""
    with Catalog.open(installation.catalog_url) as catalog:
        yield catalog


RunDag = Callable[..., "DagRun"]


@pytest.fixture
def run_dag(airflow_database: None, installation: Settings) -> RunDag:
    """Run a DAG to its end in this process: ``run_dag(dag_id, logical_date=None, **conf)``."""

    def run(dag_id: str, logical_date: datetime | None = None, **conf: Any) -> DagRun:
        from airflow.dag_processing.dagbag import DagBag

        # A fresh parse: the DAG files read the settings when they are loaded.
        dag = DagBag(dag_folder=str(ROOT / "dags")).dags[dag_id]
        return dag.test(run_conf=conf, logical_date=logical_date)

    return run


def states(run: DagRun) -> dict[str, list[str]]:
    """States of a run's task instances by task, in the order of their map index."""
    found: dict[str, list[str]] = {}
    for item in sorted(run.get_task_instances(), key=lambda item: (item.task_id, item.map_index)):
        found.setdefault(item.task_id, []).append(str(item.state))
    return found
