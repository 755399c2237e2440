"""After a model came into force: every star has its labels by it, and what woke the run does not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from astropy.table import Table
from sqlalchemy import select

from apogee_airflow.assets import OUTDATED_RESULTS
from apogee_labels.catalog import Catalog
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.dags.conftest import states
from tests.support.dag_runs import events_of
from tests.support.former_model import FORMER, record_former

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]

NIGHT = 59281


def put_models(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    """Record two models; the former one, FORMER, is in force.  Returns the other."""
    identity = put_model(workspace)
    record_former(workspace, identity)
    workspace.catalog.models.put_in_force(workspace.settings.model_name, FORMER, "test")
    return identity


def test_a_model_in_force_is_followed_by_all_results_and_tables(
    run_dag: RunDag, installation: Settings, survey: SyntheticSurvey, put_model: Callable[[Workspace], str],
    catalog: Catalog,
) -> None:  # fmt: skip
    assert set(map(tuple, states(run_dag("cannon_reanalysis")).values())) == {("success",), ("skipped",)}
    with Workspace.open(installation) as workspace:
        identity = put_models(workspace, put_model)
        parameters = NormalizationParameters(regions=installation.continuum_regions)
        made = [normalize_file(workspace, survey.path(star), parameters).normalization_id for star in survey.stars]
        infer_labels(workspace, made, FORMER, InferenceParameters())
        workspace.catalog.models.put_in_force(installation.model_name, identity, "test")
        summary = workspace.summary_path(identity)
    products = {path: path.stat().st_mtime_ns for path in (installation.data_dir / "normalized").rglob("*.fits")}

    run = run_dag("cannon_reanalysis", batch_size=5)
    assert run.state == "success"
    assert states(run)["reanalyse"] == ["success"] * 3
    assert set(catalog.labels()["model"]) == {identity}
    assert len(Table.read(summary)) == len(survey.stars)
    assert {path: path.stat().st_mtime_ns for path in products} == products
    assert not any(catalog.duplicates.counts().values())
    assert events_of(run)["apogee_label_catalog"] | {"n_nights": 0} == {
        "model_id": identity, "n_summaries": 1, "n_nights": 0, "n_written": 1, "n_left": 0,
    }  # fmt: skip

    again = run_dag("cannon_reanalysis")
    assert again.state == "success"
    assert states(again)["reanalyse"] == ["skipped"]
    assert states(again)["publish_tables"] == ["success"]
    assert events_of(again) == {}, "nothing is new"


def test_a_night_whose_model_was_replaced_meanwhile_says_so_by_an_event(
    run_dag: RunDag, installation: Settings, survey: SyntheticSurvey, put_model: Callable[[Workspace], str],
    monkeypatch: pytest.MonkeyPatch, catalog: Catalog,
) -> None:  # fmt: skip
    from apogee_airflow import ListApStarsOperator

    with Workspace.open(installation) as workspace:
        identity = put_models(workspace, put_model)
    listed = ListApStarsOperator.execute

    def and_another_model_comes(self: ListApStarsOperator, context: object) -> list[list[str]]:
        catalog.models.put_in_force(installation.model_name, identity, "test")
        return listed(self, context)  # type: ignore[arg-type]

    before = len(events())
    with monkeypatch.context() as patch:
        patch.setattr(ListApStarsOperator, "execute", and_another_model_comes)
        assert run_dag("apogee_nightly_apo25m", mjd=NIGHT, wait_hours=0, max_instances=1).state == "success"
    assert events()[before:] == [{"telescope": "apo25m", "mjd": NIGHT, "model": identity}]
    assert set(catalog.labels(model=FORMER)["model"]) == {FORMER}

    assert run_dag("cannon_reanalysis").state == "success"
    assert set(catalog.labels()["model"]) == {identity}
    path = installation.data_dir / "nights" / "apo25m" / f"apogeeNight-apo25m-{NIGHT}.fits"
    assert set(Table.read(path)["model"]) == {identity}
    assert run_dag("apogee_nightly_apo25m", mjd=NIGHT, wait_hours=0).state == "success"
    assert len(events()) == before + 1, "a night that is by the model in force wakes nobody"


def events() -> list[dict[str, object]]:
    """What the events of the asset say, in their order."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    query = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
    with create_session() as session:
        found = session.scalars(query.where(AssetModel.name == OUTDATED_RESULTS.name).order_by(AssetEvent.id))
        return [dict(event.extra) for event in found]
