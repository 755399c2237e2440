"""Fixtures that several subjects share; those of one subject live beside its tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.support.required import require

# Airflow reads its configuration when it is first imported: before any test module is.
_HOME = Path(tempfile.mkdtemp(prefix="airflow-tests-"))
ROOT = Path(__file__).resolve().parent.parent
for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "APOGEE_CANNON_", "SAS_"))]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME / 'airflow.db'}",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "APOGEE_CANNON_DATA_DIR": str(_HOME / "data"),
}


@pytest.fixture(scope="session")
def realistic() -> Path:
    """The folder of realistic input beside the project; a user has none, CI has it."""
    folder = ROOT.parent / "shared" / "realistic"
    require(folder.is_dir(), f"no realistic input at {folder.relative_to(ROOT.parent)} beside the project")
    return folder


@pytest.fixture(scope="session")
def survey_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder: an archive of two nights with 12 stars, and a training set.  Made once; a test works on a copy."""
    from include.simulation.survey import SyntheticSurvey

    folder = tmp_path_factory.mktemp("survey")
    survey = SyntheticSurvey(folder / "sas", n_stars=12, nights=2)
    survey.observe_all()
    survey.write_training_set(folder / "training_set.pkl", 120)
    return folder
