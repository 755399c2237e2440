"""The table of all stars, on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from astropy.table import Table

from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.dags.conftest import states

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_a_run_writes_the_table_of_the_model_that_is_named_or_in_force(
    run_dag: RunDag, installation: Settings, survey: SyntheticSurvey, put_model: Callable[[Workspace], str]
) -> None:
    assert states(run_dag("apogee_summary")) == {"publish_summary": ["skipped"]}, "no model is in force"
    with Workspace.open(installation) as workspace:
        model = put_model(workspace)
        parameters = NormalizationParameters(regions=installation.continuum_regions)
        items = [normalize_file(workspace, survey.path(star), parameters) for star in survey.stars[:2]]
        infer_labels(workspace, [item.normalization_id for item in items], model, InferenceParameters())
        workspace.catalog.models.put_in_force("giants", model, "test")
        path = workspace.summary_path(model)
    assert states(run_dag("apogee_summary", model=model[:12])) == {"publish_summary": ["success"]}
    assert sorted(Table.read(path)["obj"]) == sorted(star.obj for star in survey.stars[:2])
    before = path.stat().st_mtime_ns
    assert run_dag("apogee_summary", visits=False).state == "success"
    assert path.stat().st_mtime_ns == before


def test_a_model_that_is_not_there_fails_at_once(run_dag: RunDag) -> None:
    run = run_dag("apogee_summary", model="123456789012")  # text, although its characters are those of a number
    assert run.state == "failed"
    (instance,) = run.get_task_instances()
    assert instance.try_number == 1
