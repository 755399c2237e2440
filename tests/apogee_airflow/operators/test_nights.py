"""The first and the last task of a night."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from apogee_airflow import ContinuumNormalizeOperator, ListApStarsOperator, PublishNightOperator
from apogee_labels.catalog import CatalogError
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext

FIRST, SECOND = 59280, 59281
NIGHT: dict[str, Any] = {"telescope": "apo25m", "model_id": None}


def listed(context: Mapping[str, Any], **arguments: Any) -> list[list[str]]:
    operator: Any = ListApStarsOperator(task_id="list", **NIGHT, parameters=arguments)
    return operator.execute(context)


def published(context: Mapping[str, Any], **arguments: Any) -> dict[str, Any]:
    operator: Any = PublishNightOperator(task_id="publish", **NIGHT, parameters=arguments)
    return operator.execute(context)


def paths(survey: SyntheticSurvey, mjd: int) -> set[str]:
    stars = (star for star in survey.stars if star.telescope == "apo25m" and mjd in survey.visits(star, SECOND))
    return {str(survey.path(star)) for star in stars}


def flat(batches: list[list[str]]) -> set[str]:
    return {path for batch in batches for path in batch}


def normalize(paths: list[str], context: dict[str, Any]) -> None:
    operator: Any = ContinuumNormalizeOperator(
        task_id="normalize", apstar_paths=paths, continuum_regions_path=str(SHIPPED_REGIONS), sum_axis=0
    )
    operator.execute(context)


@pytest.mark.parametrize("run_type", ["manual", "backfill", "asset_triggered"])
def test_only_a_scheduled_run_looks_at_the_nights_before(
    survey: SyntheticSurvey, make_context: MakeContext, run_type: str
) -> None:
    own, before = paths(survey, SECOND), paths(survey, FIRST)
    assert before - own, "the survey has a star that only the first night saw"
    assert flat(listed(make_context(run_type, SECOND))) == own
    assert flat(listed(make_context("scheduled", SECOND))) == own | before
    assert flat(listed(make_context("scheduled", SECOND), late_nights="0")) == own


def test_one_file_is_one_instance_up_to_their_number(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    n_files = len(paths(survey, FIRST))
    assert [len(batch) for batch in listed(make_context(mjd=FIRST))] == [1] * n_files
    assert len(listed(make_context(mjd=FIRST), max_instances="2")) == 2
    assert flat(listed(make_context(mjd=FIRST), max_instances=2)) == paths(survey, FIRST)


def test_a_backfill_always_takes_many_files_an_instance(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    backfill = make_context("backfill", FIRST)
    assert [len(batch) for batch in listed(backfill)] == [len(paths(survey, FIRST))]
    assert max(map(len, listed(backfill, backfill_batch="2"))) == 2
    assert max(map(len, listed(make_context("scheduled", FIRST), backfill_batch=2))) == 1


def test_the_night_is_the_run_s_own_when_no_param_says(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    """The context's interval is MJD 59281."""
    assert flat(listed(make_context(mjd=None))) == paths(survey, SECOND)


def test_a_night_that_is_done_lists_nothing(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    context = make_context(mjd=FIRST)
    for batch in listed(context):
        normalize(batch, context)
    assert listed(context) == []
    assert listed(make_context(mjd=50000)) == []


def test_publishing_tells_what_became_of_the_night(
    survey: SyntheticSurvey, workspace: Workspace, make_context: MakeContext
) -> None:
    context = make_context(mjd=FIRST)
    for batch in listed(context):
        normalize(batch, context)
    summary = published(context)
    assert (summary["listed"], summary["no_model"], summary["unfinished"]) == (len(paths(survey, FIRST)),) * 2 + (0,)
    assert workspace.catalog.nights.publications()[0] == summary


def test_publishing_fails_on_what_is_unfinished(
    survey: SyntheticSurvey, workspace: Workspace, make_context: MakeContext
) -> None:
    context = make_context(mjd=FIRST)
    batches = listed(context)
    normalize(batches[0], context)
    with pytest.raises(AirflowFailException, match=f"{len(batches) - 1} of {len(batches)} files have neither"):
        published(context)
    assert workspace.catalog.nights.publications(), "the summary is on record all the same"


def test_publishing_fails_when_too_much_was_rejected(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    context = make_context(mjd=FIRST)
    batches = listed(context)
    damage(batches[0][0], Damage.TRUNCATED)
    for batch in batches[1:]:
        normalize(batch, context)
    with pytest.raises(AirflowSkipException):
        normalize(batches[0], context)
    assert published(context, max_rejected_share="0.5")["rejected"] == 1
    with pytest.raises(AirflowFailException, match="tolerated share of 0"):
        published(context, max_rejected_share="0")


def test_a_night_that_was_never_listed_cannot_be_published(make_context: MakeContext, workspace: Workspace) -> None:
    with pytest.raises(CatalogError):
        published(make_context(mjd=FIRST))


@pytest.mark.parametrize("visits", ["True", True])
def test_a_run_of_visits_has_products_and_a_table_of_its_own(
    survey: SyntheticSurvey, workspace: Workspace, make_context: MakeContext, visits: object
) -> None:
    context = make_context(mjd=FIRST)
    for batch in listed(context):
        normalize(batch, context)
    assert listed(context, visits="False") == []
    assert flat(listed(context, visits=visits)) == paths(survey, FIRST), "stacks are there, visits are not"
    for batch in listed(context, visits=visits):
        operator: Any = ContinuumNormalizeOperator(
            task_id="n", apstar_paths=batch, continuum_regions_path=str(SHIPPED_REGIONS), sum_axis=None
        )
        operator.execute(context)
    assert listed(context, visits=visits) == []
    summary = published(context, visits=visits)
    assert summary["table"].endswith(f"apogeeNightVisits-apo25m-{FIRST}.fits")
    assert summary["unfinished"] == 0
    assert not workspace.night_path("apo25m", FIRST).exists()
