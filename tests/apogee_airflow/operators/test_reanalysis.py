"""The tasks of a reanalysis: what they return, skip and fail on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from apogee_airflow import PlanReanalysisOperator, PublishReanalysisOperator, ReanalyseOperator
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.pipeline.analysis import infer
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import NormalizationParameters
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext

BATCH = {"number": 1, "of": 1, "first": "", "end": "g"}


@pytest.fixture
def products(workspace: Workspace, survey: SyntheticSurvey) -> list[str]:
    parameters = NormalizationParameters(regions=SHIPPED_REGIONS)
    return [normalize_file(workspace, survey.path(star), parameters).normalization_id for star in survey.stars[:4]]


@pytest.fixture
def context(make_context: MakeContext, products: list[str]) -> dict[str, Any]:
    """A context of a run that began after the products were made."""
    found = make_context()
    found["dag_run"].start_date = datetime.now(UTC)
    return found


def run(operator: Callable[..., Any], model_id: str | None, context: dict[str, Any], **arguments: Any) -> Any:
    made = operator(task_id="a_task", model_id=model_id, **arguments)
    return made.execute(context)


def test_plan_batches_and_publication_by_hand(context: dict[str, Any], model_id: str, workspace: Workspace) -> None:
    batches = run(PlanReanalysisOperator, model_id, context, parameters={"batch_size": "2", "max_batches": "9"})
    assert [(batch["number"], batch["of"]) for batch in batches] == [(1, 2), (2, 2)]
    found = [run(ReanalyseOperator, model_id, context, batch=batch) for batch in batches]
    assert sum(each["inferred"] for each in found) == 4
    assert context["label"].startswith("batch 2 of 2: ")
    assert run(PublishReanalysisOperator, model_id, context) == {
        "n_summaries": 1, "n_nights": 0, "n_written": 1, "n_left": 0,
    }  # fmt: skip
    assert workspace.summary_path(model_id).exists()
    assert run(PlanReanalysisOperator, model_id, context) == []


def test_no_more_batches_than_airflow_maps(
    context: dict[str, Any], model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    assert len(run(PlanReanalysisOperator, model_id, context, parameters={"batch_size": 1})) == 3


@pytest.mark.parametrize("model", [None, ""])
def test_without_a_model_every_task_is_skipped_with_that_reason(context: dict[str, Any], model: str | None) -> None:
    for operator, arguments in (
        (PlanReanalysisOperator, {}),
        (ReanalyseOperator, {"batch": BATCH}),
        (PublishReanalysisOperator, {}),
    ):
        with pytest.raises(AirflowSkipException, match="no model is in force"):
            run(operator, model, context, **arguments)


def test_what_is_left_makes_the_run_red_unless_it_came_meanwhile(
    context: dict[str, Any], model_id: str, workspace: Workspace, survey: SyntheticSurvey
) -> None:
    with pytest.raises(AirflowFailException, match=r"4 spectra have neither a result by model \w{12} nor a rejection"):
        run(PublishReanalysisOperator, model_id, context)
    run(ReanalyseOperator, model_id, context, batch=BATCH)
    later = survey.path(survey.stars[5])
    normalize_file(workspace, later, NormalizationParameters(regions=SHIPPED_REGIONS))
    assert run(PublishReanalysisOperator, model_id, context)["n_left"] == 0


def test_trouble_with_one_is_raised_after_the_others_were_done(
    context: dict[str, Any], model_id: str, products: list[str], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = infer.read_or_rebuild

    def fail(workspace: Workspace, record: Any) -> Any:
        if record.id == products[1]:
            raise OSError("the disk")
        return read(workspace, record)

    monkeypatch.setattr(infer, "read_or_rebuild", fail)
    with pytest.raises(OSError, match="the disk"):
        run(ReanalyseOperator, model_id, context, batch=BATCH)
    assert context["label"] == "batch 1 of 1: 1 failed"
    monkeypatch.setattr(infer, "read_or_rebuild", read)
    assert run(ReanalyseOperator, model_id, context, batch=BATCH) == {"due": 1, "inferred": 1, "rejected": 0}


def test_a_model_that_cannot_be_read_fails_once(context: dict[str, Any], model_id: str, workspace: Workspace) -> None:
    workspace.model_path(model_id).write_bytes(b"no model")
    with pytest.raises(AirflowFailException):
        run(ReanalyseOperator, model_id, context, batch=BATCH)
