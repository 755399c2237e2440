"""The tutorial: stars by name, from the archive or a server that stands in for SDSS's."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from apogee_labels.catalog import Catalog
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models.train import training_identity
from apogee_labels.simulation.survey import SyntheticStar, SyntheticSurvey
from tests.dags.conftest import states
from tests.support.archive_server import serve

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]

MISSING = "2M00000000+0000000"


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def remote(tmp_path: Path, survey: SyntheticSurvey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty local archive, and a server that has all of its files."""
    remote = tmp_path / "remote"
    (remote).mkdir()
    survey.root.rename(remote / "sas")
    handler = functools.partial(Server, directory=str(remote))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("APOGEE_LABELS_REMOTE_BASE", f"http://127.0.0.1:{server.server_address[1]}")
        yield remote
        server.shutdown()


def keys(star: SyntheticStar) -> dict[str, str]:
    return {"obj": star.obj, "telescope": star.telescope, "field": star.field}


def test_one_star_from_the_archive(
    run_dag: RunDag, survey: SyntheticSurvey, catalog: Catalog, installation: Settings
) -> None:
    star = survey.stars[0]
    run = run_dag("apogee_stars", **keys(star))
    assert run.state == "success"
    assert set(catalog.labels(model=_model(installation))["obj"]) == {star.obj}
    assert states(run)["train"] == ["success"], "there was no model: it is trained first"


def test_a_list_of_stars_and_one_that_does_not_come(
    run_dag: RunDag, survey: SyntheticSurvey, catalog: Catalog, installation: Settings
) -> None:
    known = survey.stars[:2]
    missing = {"obj": MISSING, "telescope": "apo25m", "field": "170+55"}
    run = run_dag("apogee_stars", stars=[*map(keys, known), missing])
    assert run.state == "success"
    assert states(run)["wait_for_apstar"].count("skipped") == 1
    assert set(catalog.labels(model=_model(installation))["obj"]) == {star.obj for star in known}
    assert any(MISSING in line and "missing" in line for line in _report(run))


def test_a_star_that_is_not_here_is_fetched(
    run_dag: RunDag, survey: SyntheticSurvey, remote: Path, catalog: Catalog, installation: Settings
) -> None:
    star = survey.stars[0]
    run = run_dag("apogee_stars", **keys(star), use_remote=True)
    assert run.state == "success"
    assert survey.path(star).exists()
    assert set(catalog.labels(model=_model(installation))["obj"]) == {star.obj}


def test_a_404_is_a_skip_and_leaves_nothing(
    run_dag: RunDag, installation: Settings, survey: SyntheticSurvey, remote: Path
) -> None:
    run = run_dag("apogee_stars", obj="2M00000000+0000000", field="170+55", use_remote=True)
    instance = next(item for item in run.get_task_instances() if item.task_id == "fetch_apstar")
    assert (instance.state, instance.try_number) == ("skipped", 1)
    assert instance.rendered_map_index == "2M00000000+0000000: not_at_remote"
    assert not [path for path in installation.sas_base_dir.rglob("*") if path.is_file()]


def test_a_table_of_planned_observations(
    run_dag: RunDag, survey: SyntheticSurvey, catalog: Catalog, installation: Settings
) -> None:
    """Pasted and in a file; named twice, and one that does not come."""
    first, second = survey.stars[:2]
    pasted = f"# tonight\nAPOGEE_ID,telescope,field\n{first.obj},{first.telescope},{first.field}\n{MISSING},,170+55\n"
    (installation.data_dir / "planned.csv").write_text(
        "\n".join(["obj,telescope,field", *(f"{star.obj},{star.telescope},{star.field}" for star in (first, second))])
    )
    run = run_dag("apogee_stars", stars_csv=pasted, stars_file="planned.csv")
    assert run.state == "success"
    assert states(run)["wait_for_apstar"] == ["success", "skipped", "success"]
    assert set(catalog.labels(model=_model(installation))["obj"]) == {first.obj, second.obj}
    assert [line.partition(":")[0] for line in _report(run)] == [first.obj, MISSING, second.obj]
    assert _report(run)[1].startswith(f"{MISSING}: missing: did not come")


def test_nothing_is_started_with_a_table_that_has_a_fault(run_dag: RunDag, survey: SyntheticSurvey) -> None:
    star = survey.stars[0]
    run = run_dag("apogee_stars", stars_csv=f"obj,field,healpix\n{star.obj},{star.field},\n{star.obj},,x\n")
    assert run.state == "failed"
    assert states(run)["list_stars"] == ["failed"]
    assert states(run)["train"] == ["upstream_failed"]


def test_a_star_that_could_not_be_fetched_leaves_the_run_unfinished(
    run_dag: RunDag, survey: SyntheticSurvey, catalog: Catalog, installation: Settings, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    """And not one that did not come: somebody has to look, here after the credentials."""
    here, refused = survey.stars[:2]
    survey.path(refused).unlink()
    monkeypatch.setenv("HOME", str(tmp_path))
    with serve() as server:
        server.status = 401
        monkeypatch.setenv("APOGEE_LABELS_REMOTE_BASE", server.base)
        run = run_dag("apogee_stars", stars=[*map(keys, (here, refused))], use_remote=True)
    assert run.state == "failed"
    assert states(run)["fetch_apstar"] == ["success", "failed"]
    assert states(run)["report"] == ["failed"]
    assert set(catalog.labels(model=_model(installation))["obj"]) == {here.obj}


def test_visits_of_a_star_have_labels_of_their_own(
    run_dag: RunDag, survey: SyntheticSurvey, catalog: Catalog, installation: Settings
) -> None:
    star = next(star for star in survey.stars if len(survey.visits(star, survey.nights[-1])) > 1)
    run_dag("apogee_stars", **keys(star), sum_axis=None)
    table = catalog.labels(model=_model(installation), visits=True)
    assert sorted(table["mjd"]) == list(survey.visits(star, survey.nights[-1]))


def test_a_form_without_a_star_says_what_is_missing(run_dag: RunDag) -> None:
    assert run_dag("apogee_stars").state == "failed"


def _report(run: DagRun) -> list[str]:
    report = next(item for item in run.get_task_instances() if item.task_id == "report")
    lines: list[str] = report.xcom_pull(task_ids="report")
    return lines


def _model(installation: Settings) -> str:
    """The model that a run with the form's defaults trains; it is not in force."""
    return training_identity(installation.training_set, TrainingParameters(label_names=installation.label_names))
