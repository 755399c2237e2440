"""The wheel in an empty environment outside of the checkout: for a notebook without Airflow, and for an Airflow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from apogee_labels import __version__
from tests.support.compose import PROJECT_ROOT

pytestmark = [pytest.mark.slow]

PACKAGES = Path(sysconfig.get_path("purelib"))
OUTER = """
import sys

sys.path.append({packages!r})  # behind this environment's own: the packages of the lock, without running their .pth files
"""
NO_AIRFLOW = """
import sys


class NoAirflow:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, NoAirflow)
"""
NOTEBOOK = """
import sys
import numpy as np
from apogee_labels.apogee.spectra import read_apstar
from apogee_labels.cannon.continuum import normalize
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.settings import SHIPPED_REGIONS

training_set = TrainingSet.read("training_set.pkl")
model = CannonModel.train(training_set)
star = read_apstar(sys.argv[1])
spectrum = normalize(star, SHIPPED_REGIONS)
found = model.infer(spectrum.flux, spectrum.ivar)
assert model.predict(found.labels).shape == spectrum.flux.shape
print(dict(zip(model.label_names, found.labels[0].round(1).tolist())))
assert "airflow" not in sys.modules
"""
DAGS = """
import json
from pathlib import Path
import apogee_airflow
from airflow.dag_processing.dagbag import DagBag

folder = Path(apogee_airflow.__file__).parent / "example_dags"
bag = DagBag(folder)
print(json.dumps({"folder": str(folder), "dags": sorted(bag.dags), "errors": bag.import_errors}))
"""


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a folder to work in."""

    folder: Path

    @property
    def site_packages(self) -> Path:
        """Where its packages are."""
        return next((self.folder / "env" / "lib").glob("python*")) / "site-packages"

    def run(self, *arguments: str | Path, **environment: str) -> str:
        """Run a program of it outside of the checkout, with an environment of its own; returns what it prints."""
        program, *rest = arguments
        given = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        done = subprocess.run(
            [self.folder / "env" / "bin" / program, *rest],
            cwd=self.folder,
            env=given | {"HOME": str(self.folder), "APOGEE_LABELS_DATA_DIR": str(self.folder / "data")} | environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout


def install(wheel: Path, folder: Path, *, customize: str) -> Installed:
    """Make an environment with the wheel alone, to which the packages of this one are added from behind."""
    venv.create(folder / "env", symlinks=True)
    installed = Installed(folder)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*command, "--python", folder / "env", wheel], check=True, timeout=60)
    (installed.site_packages / "sitecustomize.py").write_text(customize + OUTER.format(packages=str(PACKAGES)))
    return installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by what the lock has."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def notebook(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Where there is no Airflow."""
    return install(wheel, tmp_path_factory.mktemp("notebook"), customize=NO_AIRFLOW)


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An Airflow that has no folder of ours."""
    return install(wheel, tmp_path_factory.mktemp("elsewhere"), customize="")


def airflow(installed: Installed, *arguments: str) -> str:
    home = installed.folder / "airflow"
    return installed.run(
        "python", *arguments,
        AIRFLOW_HOME=str(home), AIRFLOW__CORE__LOAD_EXAMPLES="False", AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
    )  # fmt: skip


def test_it_holds_what_is_read_at_run_time_and_nothing_of_the_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "include", "plugins/apogee_airflow", "tools", "dags", "config"],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    expected = {
        re.sub("^(include|plugins|tools/local)/", "", path)
        .replace("dags/", "apogee_airflow/example_dags/")
        .replace("config/", "apogee_local/config/")
        for path in tracked
    }
    of_wheel = {name for name in names if ".dist-info/" not in name}
    assert of_wheel == {path for path in expected if path != ".airflowignore"}
    assert of_wheel >= {
        "apogee_labels/py.typed",
        "apogee_labels/data/continuum_regions.txt",
        "apogee_labels/catalog/db/migrations/script.py.mako",
        "apogee_airflow/py.typed",
        "apogee_airflow/web/templates/night.html",
        "apogee_airflow/example_dags/apogee_nightly.py",
    }
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_notebook_example_runs_without_airflow(notebook: Installed) -> None:
    assert "Commands:" in notebook.run("apogee-labels", "--help")
    assert __version__ in notebook.run("apogee-labels", "--version")
    notebook.run("apogee-labels", "simulate", "sas", "--stars", "6", "--nights", "1", "--training-set", "training_set.pkl",
                 "--training-stars", "80")  # fmt: skip
    star = next(path for path in sorted((notebook.folder / "sas").rglob("apStar*.fits")))
    assert "'TEFF': " in notebook.run("python", "-W", "error", "-c", NOTEBOOK, star)
    assert notebook.run("apogee-labels", "catalog", "create").endswith("catalog.db: up to date\n")
    where = notebook.run("python", "-c", "import apogee_labels; print(apogee_labels.__file__)")
    assert Path(where.strip()).is_relative_to(notebook.site_packages)


def test_an_airflow_elsewhere_sees_plugin_and_provider(elsewhere: Installed) -> None:
    (plugin,) = json.loads(airflow(elsewhere, "-m", "airflow", "plugins", "--output", "json"))
    assert plugin["source"].startswith(f"apogee-labels=={__version__}")
    assert plugin["timetables"] == ["apogee_airflow.timetables.observing_night.ObservingNightTimetable"]
    assert plugin["fastapi_apps"]
    providers = json.loads(airflow(elsewhere, "-m", "airflow", "providers", "list", "--output", "json"))
    assert [each["version"] for each in providers if each["package_name"] == "apogee-labels"] == [__version__]


def test_a_local_airflow_finds_what_it_starts_with(elsewhere: Installed) -> None:
    code = "from apogee_local.environment import *; print(DAGS, CONFIG, sep='\\n')"
    dags, config = map(Path, elsewhere.run("python", "-c", code).splitlines())
    assert (dags / "apogee_nightly.py").is_file()
    assert (config / "airflow_local_settings.py").is_file()
    assert dags.is_relative_to(elsewhere.site_packages)


def test_the_example_dags_of_the_wheel_are_read_there(elsewhere: Installed) -> None:
    found = json.loads(airflow(elsewhere, "-c", DAGS).splitlines()[-1])
    assert Path(found["folder"]).is_relative_to(elsewhere.site_packages)
    assert found["errors"] == {}
    assert {
        "apogee_stars",
        "apogee_nightly_apo25m",
        "apogee_nightly_lco25m",
        "cannon_training",
        "cannon_reanalysis",
    } <= set(found["dags"])
