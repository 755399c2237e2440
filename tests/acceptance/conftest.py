"""What the acceptance tests share: the realistic input, and a data folder of each installation's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from apogee_labels.core.settings import Settings
from tests.support.dag_runs import make_airflow_database, run_dag

TRAINING_STARS = 800


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's database, with the project's pools."""
    make_airflow_database()


@pytest.fixture(scope="session")
def realistic_training_set(make_nights: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of 800 stars in the tutorial's format, labelled with real giants' labels."""
    path = tmp_path_factory.mktemp("training") / "training_set.pkl"
    make_nights.make_training_set(path, TRAINING_STARS, seed=1)
    return path


@pytest.fixture(scope="session")
def trained(airflow_database: None, realistic_training_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a realistic model in force, and nothing else: to be copied, for training takes its time."""
    data_dir = tmp_path_factory.mktemp("trained")
    with installed(data_dir, training_set=realistic_training_set):
        assert run_dag("cannon_training").state == "success"
    return data_dir


@contextmanager
def installed(data_dir: Path, **settings: str | Path) -> Iterator[Settings]:
    """Settings of an installation with its data in `data_dir`, in the environment as long as the block lasts."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("APOGEE_LABELS_DATA_DIR", str(data_dir))
        environment.setenv("SAS_BASE_DIR", str(data_dir / "sas"))
        for name, value in settings.items():
            environment.setenv(f"APOGEE_LABELS_{name.upper()}", str(value))
        yield Settings()
