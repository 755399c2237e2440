"""One night in which good files stand beside one of each kind of bad input."""

from __future__ import annotations

import functools
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from apogee_airflow.subjects import star_of
from apogee_labels.apogee.archive.nights import observatory
from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog import Catalog
from apogee_labels.catalog.records import subject_of_path
from apogee_labels.core.errors import Reason
from apogee_labels.core.identity import digest_file
from apogee_labels.pipeline.nights import night as night_step
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import FIRST_MJD, SyntheticSurvey
from tests.acceptance.conftest import installed
from tests.support.dag_runs import run_dag, states

if TYPE_CHECKING:
    from airflow.models import DagRun

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]
TELESCOPE = "apo25m"
N_GOOD = 4
IN_SUMMARY = "    - "


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere.fits"))


def leave(path: Path) -> None:
    """It is good until it is listed, and gone when it is opened."""


@dataclass(frozen=True)
class Kind:
    """One kind of bad input: how it is made, and what must be said of it."""

    spoil: Callable[[Path], None]
    reason: Reason
    says: str


KINDS = {
    "empty": Kind(functools.partial(damage, kind=Damage.EMPTY), Reason.EMPTY, "0 bytes"),
    "cut_in_header": Kind(functools.partial(cut, length=2000), Reason.UNREADABLE, "header"),
    "cut_in_data": Kind(functools.partial(damage, kind=Damage.TRUNCATED), Reason.UNREADABLE, "HDU 1 ends"),
    "wrong_hdus": Kind(functools.partial(damage, kind=Damage.WRONG_HDUS), Reason.WRONG_LAYOUT, "HDU"),
    "wrong_grid": Kind(functools.partial(damage, kind=Damage.WRONG_GRID), Reason.WRONG_GRID, "CRVAL1"),
    "all_masked": Kind(functools.partial(damage, kind=Damage.ALL_MASKED), Reason.NO_INFORMATION, "pixels"),
    "no_visits": Kind(functools.partial(damage, kind=Damage.NO_VISITS), Reason.NO_VISITS, "visit"),
    "nan_everywhere": Kind(functools.partial(damage, kind=Damage.NAN_EVERYWHERE), Reason.NO_INFORMATION, "pixels"),
    "folder": Kind(make_a_folder, Reason.NOT_A_FILE, "directory"),
    "dangling_link": Kind(make_a_dangling_link, Reason.MISSING, "there is none"),
    "vanished": Kind(leave, Reason.MISSING, "there is none"),
}


@contextmanager
def simulated(data_dir: Path, request: pytest.FixtureRequest) -> Iterator[tuple[int, list[Path]]]:
    """A tree by the project's own simulator."""
    shutil.copy(request.getfixturevalue("survey_data") / "training_set.pkl", data_dir)
    survey = SyntheticSurvey(data_dir / "sas", n_stars=2 * (len(KINDS) + N_GOOD), nights=1)
    with installed(data_dir):
        assert run_dag("cannon_training").state == "success"
        yield FIRST_MJD, survey.observe(TELESCOPE, FIRST_MJD)


@contextmanager
def real_plate(data_dir: Path, request: pytest.FixtureRequest) -> Iterator[tuple[int, list[Path]]]:
    """A plate of the real observing log."""
    make_nights: ModuleType = request.getfixturevalue("make_nights")
    shutil.copytree(request.getfixturevalue("trained"), data_dir, dirs_exist_ok=True)
    with installed(data_dir, release="dr16", apred="r12"):
        paths = make_nights.make_night(data_dir / "sas", 57150, len(KINDS) + N_GOOD, 1, "dr16", limit_plates=1)
        yield 57150, paths


class Lines(logging.Handler):
    """Keeps what is logged as lines, whichever of its two ways Airflow takes."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of the project's own, with the traceback that it may carry."""
        self.lines.append(f"{record.levelname} {logging.Formatter().format(record)}")


@contextmanager
def log_lines() -> Iterator[list[str]]:
    """What is logged as long as the block lasts, in no order."""
    handler = Lines()
    logging.getLogger().addHandler(handler)
    try:
        with structlog.testing.capture_logs() as events:
            yield handler.lines
        handler.lines += [" ".join(f"{name}={value}" for name, value in event.items()) for event in events]
    finally:
        logging.getLogger().removeHandler(handler)


def run_night(mjd: int) -> DagRun:
    evening, _ = observatory(TELESCOPE).interval(mjd)
    return run_dag(f"apogee_nightly_{TELESCOPE}", evening + timedelta(hours=9), max_rejected_share=1)


def vanishes_when_listed(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Take a file away between the listing of the night and its analysis."""
    list_night = night_step.list_night

    def list_and_lose(*arguments: Any, **options: Any) -> tuple[str, ...]:
        found = list_night(*arguments, **options)
        path.unlink(missing_ok=True)
        return found

    patch.setattr(night_step, "list_night", list_and_lose)


TREES = [pytest.param(simulated, id="simulated"), pytest.param(real_plate, id="dr16", marks=pytest.mark.shared)]


@pytest.mark.parametrize("tree", TREES)
def test_each_bad_file_is_rejected_alone_with_its_reason(
    tree: Callable[..., Any],
    tmp_path: Path,
    airflow_database: None,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tree(tmp_path, request) as (mjd, paths), Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        bad, good = dict(zip(KINDS, paths, strict=False)), paths[len(KINDS) :]
        for name, path in bad.items():
            KINDS[name].spoil(path)
        subjects = {name: subject(path, vanishes=name == "vanished") for name, path in bad.items()}
        vanishes_when_listed(bad["vanished"], monkeypatch)
        with log_lines() as lines:
            run = run_night(mjd)
        assert run.state == "success", "the night is green"
        check_labels(run, bad, good)
        check_log(lines, bad)
        for name, rejection in catalog.rejections.find(list(subjects.values()), READER_VERSION).items():
            (kind,) = (kind for kind, own in subjects.items() if own == name)
            assert rejection.reason is KINDS[kind].reason, kind
            assert KINDS[kind].says in rejection.message, kind
            assert rejection.path == str(bad[kind])
            subjects.pop(kind)
        assert not subjects, "every kind is on record"
        assert sorted(catalog.labels(night=mjd)["obj"]) == sorted(map(star_of, good))
        (summary,) = catalog.nights.publications()
        assert (summary["done"], summary["rejected"], summary["unfinished"]) == (len(good), len(bad), 0)
        assert states(run_night(mjd))["normalize"] == ["skipped"], "nothing of it is tried again"


def subject(path: Path, *, vanishes: bool) -> str:
    """What a rejection is recorded under: the content, or the path where there is none."""
    return digest_file(path) if path.is_file() and not vanishes else subject_of_path(str(path))


def check_labels(run: DagRun, bad: dict[str, Path], good: list[Path]) -> None:
    """Each instance bears its star, and the reason if there is one, and was tried once."""
    instances = {item.rendered_map_index: item for item in run.get_task_instances() if item.task_id == "normalize"}
    expected = {f"{star_of(path)}: {KINDS[name].reason}": "skipped" for name, path in bad.items()}
    expected |= {star_of(path): "success" for path in good}
    assert {label: item.state for label, item in instances.items()} == expected
    assert {item.try_number for item in instances.values()} == {1}


def check_log(lines: list[str], bad: dict[str, Path]) -> None:
    """One line names a file and its reason, besides the summary of the night; there is no traceback."""
    assert not [line for line in lines if "Traceback" in line or line.startswith("ERROR")]
    for name, path in bad.items():
        said = [line for line in lines if path.name in line and f": {KINDS[name].reason}" in line]
        (in_summary,) = (line for line in said if IN_SUMMARY in line)
        said.remove(in_summary)
        assert len(said) == 1, (name, said)
        assert KINDS[name].says in said[0]
