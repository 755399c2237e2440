"""DAGs, run in one process by `dag.test`, over a database of their own and data of each test's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from apogee_labels.catalog import Catalog
from apogee_labels.core.settings import Settings
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support import dag_runs
from tests.support.dag_runs import events_of, make_airflow_database, states

__all__ = ["events_of", "states"]

if TYPE_CHECKING:
    from airflow.models import DagRun


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's database, with the project's pools."""
    make_airflow_database()


@pytest.fixture
def installation(tmp_path: Path, survey_data: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation of this test's own, with the small survey's files in its archive."""
    data_dir = tmp_path / "data"
    shutil.copytree(survey_data, data_dir)
    monkeypatch.setenv("APOGEE_LABELS_DATA_DIR", str(data_dir))
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
    return dag_runs.run_dag
