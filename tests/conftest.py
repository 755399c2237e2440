"""Fixtures that several subjects share; those of one subject live beside its tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.required import require

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

# Airflow reads its configuration when it is first imported: before any test module is.
_HOME = Path(tempfile.mkdtemp(prefix="airflow-tests-"))
ROOT = Path(__file__).resolve().parent.parent
for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "APOGEE_LABELS_", "SAS_"))]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME / 'airflow.db'}",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "APOGEE_LABELS_DATA_DIR": str(_HOME / "data"),
}


SHARING = ("tests/acceptance", "tests/end_to_end")
"""Folders whose files share what is dear to make (an Airflow that runs, a model of 800 stars): one process does them all."""
ALONE = tuple(f"tests/end_to_end/test_{name}.py" for name in ("model_life", "simulated_month", "telling"))
"""Files in these that have an Airflow of their own, and are minutes long: another process may do them."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares fixtures, where several processes do the tests: a file, or one of :data:`SHARING`."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class SharedScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            shared = () if file in ALONE else SHARING
            return next((folder for folder in shared if file.startswith(f"{folder}/")), file)

    return SharedScheduling(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(scope="session")
def realistic() -> Path:
    """The folder of realistic input beside the project; a user has none, CI has it."""
    folder = ROOT.parent / "shared" / "realistic"
    require(folder.is_dir(), f"no realistic input at {folder.relative_to(ROOT.parent)} beside the project")
    return folder


def _leaving_the_environment(function: Callable[..., Path]) -> Callable[..., Path]:
    """The same function, for one that sets SAS_BASE_DIR, and with sdss_access much more: other tests would write there."""

    def call(*arguments: Any) -> Path:
        before = dict(os.environ)
        try:
            return function(*arguments)
        finally:
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)

    return call


@pytest.fixture(scope="session")
def make_nights(realistic: Path) -> Iterator[ModuleType]:
    """The script that writes nights of the real observing log, as a module."""
    spec = importlib.util.spec_from_file_location("make_nights", realistic / "make_nights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    module.apstar_path = _leaving_the_environment(module.apstar_path)  # type: ignore[attr-defined]
    yield module
    sys.modules.pop(spec.name, None)  # others load it as well


@pytest.fixture(scope="session")
def survey_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder: an archive of two nights with 12 stars, and a training set.  Made once; a test works on a copy."""
    from apogee_labels.simulation.survey import SyntheticSurvey

    folder = tmp_path_factory.mktemp("survey")
    survey = SyntheticSurvey(folder / "sas", n_stars=12, nights=2)
    survey.observe_all()
    survey.write_training_set(folder / "training_set.pkl", 120)
    return folder


@pytest.fixture(scope="session")
def put_model(survey_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Workspace], str]:
    """Put the model of the small survey's training set into a workspace, trained once; returns its identity."""
    from apogee_labels.core.settings import Settings
    from apogee_labels.pipeline.identities import TrainingParameters
    from apogee_labels.pipeline.models.train import train_model
    from apogee_labels.pipeline.workspace import Workspace

    settings = Settings(data_dir=tmp_path_factory.mktemp("trained"))
    with Workspace.open(settings) as trained:
        parameters = TrainingParameters(label_names=settings.label_names)
        identity = train_model(trained, survey_data / "training_set.pkl", parameters)
        record = trained.catalog.models.get(identity)
    assert record is not None

    def put(workspace: Workspace) -> str:
        path = workspace.model_path(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(record.path, path)
        workspace.catalog.models.record(replace(record, path=str(path)))
        return identity

    return put
