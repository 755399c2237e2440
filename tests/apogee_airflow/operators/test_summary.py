"""The table of the whole catalogue as a task."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from astropy.table import Table

from apogee_airflow import PublishSummaryOperator
from apogee_labels.catalog import CatalogError
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext


def published(make_context: MakeContext, **arguments: Any) -> list[dict[str, Any]]:
    operator: Any = PublishSummaryOperator(task_id="summary", parameters=arguments)
    return operator.execute(make_context())


@pytest.fixture
def analysed(workspace: Workspace, survey: SyntheticSurvey, model_id: str) -> str:
    """Three stars are analysed, as stacks and visit by visit; the model is not in force."""
    for axis in (0, None):
        parameters = NormalizationParameters(regions=SHIPPED_REGIONS, sum_axis=axis)
        items = [normalize_file(workspace, survey.path(star), parameters) for star in survey.stars[:3]]
        infer_labels(workspace, [item.normalization_id for item in items], model_id, InferenceParameters())
    return model_id


def test_without_a_model_it_is_skipped(make_context: MakeContext, analysed: str) -> None:
    for nothing in (None, "", "None"):
        with pytest.raises(AirflowSkipException, match="no model is in force"):
            published(make_context, model=nothing)
    with pytest.raises(CatalogError, match="expected the identity of a model"):
        published(make_context, model="dwarfs")


def test_it_writes_both_tables_and_says_what_they_hold(
    make_context: MakeContext, workspace: Workspace, analysed: str
) -> None:
    stars, visits = published(make_context, model=analysed[:12])
    assert json.loads(json.dumps([stars, visits])) == [stars, visits], "an XCom"
    assert stars["path"] == str(workspace.summary_path(analysed))
    assert (stars["n_rows"], stars["n_stars"], stars["written"]) == (3, 3, True)
    assert (visits["n_stars"], visits["n_rows"]) == (3, len(Table.read(visits["path"])))
    workspace.catalog.models.put_in_force("giants", analysed, "test")
    (again,) = published(make_context, visits="False")
    assert again == stars | {"written": False}
