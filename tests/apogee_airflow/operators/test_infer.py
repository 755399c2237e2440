"""Inferring as a task: with a model, without one, with one that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from apogee_airflow import InferLabelsOperator
from apogee_airflow.retries import NOT_RETRIED
from apogee_labels.catalog.records import WorkKind
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, result_id
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext


@pytest.fixture
def normalizations(workspace: Workspace, survey: SyntheticSurvey) -> list[str]:
    parameters = NormalizationParameters(regions=workspace.settings.continuum_regions)
    paths = [survey.path(star) for star in survey.stars[:2]]
    return [normalize_file(workspace, path, parameters).normalization_id for path in paths]


def infer(normalizations: Any, model_id: str | None, context: dict[str, Any], **arguments: Any) -> list[str]:
    operator = InferLabelsOperator(task_id="infer", normalizations=normalizations, model_id=model_id, **arguments)
    return operator.execute(context)  # type: ignore[arg-type]


def test_every_file_gets_a_result(
    workspace: Workspace, survey: SyntheticSurvey, normalizations: list[str], model_id: str, make_context: MakeContext
) -> None:
    context = make_context()
    results = infer(normalizations, model_id, context)
    records = [workspace.catalog.results.get(result) for result in results]
    assert [record and record.normalization_id for record in records] == normalizations
    assert context["label"] == f"2 files from {survey.stars[0].obj}"


def test_one_identity_is_a_list_of_one(
    survey: SyntheticSurvey, normalizations: list[str], model_id: str, make_context: MakeContext
) -> None:
    context = make_context()
    assert infer(normalizations[0], model_id, context) == infer(normalizations, model_id, make_context())[:1]
    assert context["label"] == survey.stars[0].obj


def test_the_arguments_are_those_of_the_inference(
    workspace: Workspace, normalizations: list[str], model_id: str, make_context: MakeContext
) -> None:
    arguments = {"n_initialisations": 3, "use_derivatives": False}
    (result,) = infer(normalizations[:1], model_id, make_context(), **arguments)
    record = workspace.catalog.results.get(result)
    assert record is not None
    assert {key: record.parameters[key] for key in arguments} == arguments


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_model_in_force_it_is_a_skip_with_that_reason(
    survey: SyntheticSurvey, normalizations: list[str], make_context: MakeContext, nothing: str | None
) -> None:
    context = make_context()
    with pytest.raises(AirflowSkipException, match="cannon_training"):
        infer(normalizations[:1], nothing, context)
    assert context["label"] == f"{survey.stars[0].obj}: no model in force"


def test_a_model_that_is_not_on_record_fails_for_a_person(normalizations: list[str], make_context: MakeContext) -> None:
    """A model that cannot be used is not the star's fault: a skip would hide it."""
    context = make_context()
    with pytest.raises(AirflowFailException, match="no model 000000000000"):
        infer(normalizations, "0" * 64, context)
    assert context["label"].endswith(": bad_model")


def test_a_normalisation_that_is_not_on_record_fails(model_id: str, make_context: MakeContext) -> None:
    context = make_context()
    with pytest.raises(NOT_RETRIED, match="normalize task first"):
        infer(["0" * 64], model_id, context)
    assert context["label"] == "no files"


def test_a_product_that_was_deleted_is_made_anew(
    workspace: Workspace, normalizations: list[str], model_id: str, make_context: MakeContext
) -> None:
    product = workspace.normalized_path(normalizations[1])
    product.unlink()
    assert len(infer(normalizations, model_id, make_context())) == 2
    assert product.exists()


def test_a_product_that_nothing_can_make_anew_is_a_rejection_of_its_file_alone(
    workspace: Workspace, survey: SyntheticSurvey, normalizations: list[str], model_id: str, make_context: MakeContext
) -> None:
    workspace.normalized_path(normalizations[0]).unlink()
    survey.path(survey.stars[0]).unlink()
    context = make_context()
    assert len(infer(normalizations, model_id, context)) == 1
    assert context["label"].endswith(": 1 rejected")
    with pytest.raises(AirflowSkipException, match="all of 1 file"):
        infer(normalizations[0], model_id, context)
    assert context["label"] == f"{survey.stars[0].obj}: missing"


def test_trouble_with_one_product_waits_until_the_others_are_recorded(
    workspace: Workspace, normalizations: list[str], model_id: str, make_context: MakeContext
) -> None:
    product = workspace.normalized_path(normalizations[0])
    product.unlink()
    product.mkdir()
    with pytest.raises(OSError, match=product.name):
        infer(normalizations, model_id, make_context())
    product.rmdir()
    identities = [result_id(item, model_id, InferenceParameters().as_json()) for item in normalizations]
    assert workspace.catalog.results.existing(identities) == set(identities[1:])
    assert infer(normalizations, model_id, make_context()) == identities


@pytest.mark.parametrize(("reprocess", "times"), [("true", 2), (True, 2), ("False", 0), (False, 0), (None, 0)])
def test_reprocess_infers_again(
    workspace: Workspace,
    normalizations: list[str],
    model_id: str,
    make_context: MakeContext,
    reprocess: Any,
    times: int,
) -> None:
    infer(normalizations, model_id, make_context())
    infer(normalizations, model_id, make_context(), reprocess=reprocess)
    assert workspace.catalog.duplicates.counts()[WorkKind.RESULT] == times
