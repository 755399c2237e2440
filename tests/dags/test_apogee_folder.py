"""A watched folder through its DAG."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from apogee_labels.catalog import Catalog
from apogee_labels.core.settings import Settings
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.dags.conftest import states

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_what_is_put_into_a_folder_becomes_labels(
    run_dag: RunDag, survey: SyntheticSurvey, installation: Settings, catalog: Catalog
) -> None:
    run_dag("cannon_training")
    folder = installation.data_dir / "incoming"
    folder.mkdir()
    copies = [shutil.copy(survey.path(star), folder) for star in survey.stars[:3]]
    damage(copies[0], Damage.TRUNCATED)
    run = run_dag("apogee_folder", settle_seconds=0)
    found = states(run)
    assert run.state == "success"
    assert sorted(found["normalize"]) == ["skipped", "success", "success"]
    assert found["report"] == ["success"]
    labels = {item.rendered_map_index for item in run.get_task_instances() if item.task_id == "normalize"}
    assert {survey.stars[1].obj, survey.stars[2].obj} < labels
    assert set(catalog.labels()["obj"]) == {survey.stars[1].obj, survey.stars[2].obj}
