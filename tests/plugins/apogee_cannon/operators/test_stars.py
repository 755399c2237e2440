"""The form of the tutorial DAG, and its report."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from apogee_cannon import ListStarsOperator, ReportStarsOperator
from include.pipeline.identities import InferenceParameters, NormalizationParameters
from include.pipeline.infer import infer_labels
from include.pipeline.normalize import normalize_file
from include.pipeline.workspace import Workspace
from include.settings import SHIPPED_REGIONS
from include.simulation.survey import SyntheticStar, SyntheticSurvey
from tests.plugins.apogee_cannon.conftest import MakeContext

NAME, OTHER = "2M16505794-2118004", "2M17000000-2118004"


def stars(context: Any) -> list[dict[str, Any]]:
    return ListStarsOperator(task_id="list").execute(context)


def report(stars: Any, model_id: str | None, context: Any, **arguments: Any) -> list[str]:
    operator: Any = ReportStarsOperator(
        task_id="report", stars=stars, model_id=model_id, continuum_regions_path=str(SHIPPED_REGIONS), **arguments
    )
    return operator.execute(context)


def keys(star: SyntheticStar) -> dict[str, Any]:
    return {"obj": star.obj, "telescope": star.telescope, "field": star.field}


def test_the_fields_of_the_form_are_one_star(make_context: MakeContext) -> None:
    context = make_context(obj=NAME, telescope="apo25m", field="000+14", healpix=None, release="", stars=[], order=2)
    assert stars(context) == [{"obj": NAME, "telescope": "apo25m", "field": "000+14"}]


def test_an_entry_of_the_list_goes_before_the_form_s_fields(make_context: MakeContext) -> None:
    given = [{"obj": NAME}, {"obj": OTHER, "field": "001+14", "telescope": "lco25m"}]
    context = make_context(telescope="apo25m", field="000+14", stars=given)
    assert stars(context) == [
        {"obj": NAME, "telescope": "apo25m", "field": "000+14"},
        {"obj": OTHER, "telescope": "lco25m", "field": "001+14"},
    ]
    assert given[0] == {"obj": NAME}, "the form itself is left as it was"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "1 of 1 stars without a name"),
        ({"obj": "", "stars": None}, "1 of 1"),
        ({"stars": [{"obj": NAME}, {"field": "000+14"}]}, "1 of 2"),
    ],
)
def test_a_form_without_a_star_says_what_is_missing(
    make_context: MakeContext, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        stars(make_context(**params))


def test_a_misspelt_key_reaches_the_task_that_says_so(make_context: MakeContext) -> None:
    assert stars(make_context(stars=[{"obj": NAME, "feild": "000+14"}])) == [{"obj": NAME, "feild": "000+14"}]


def test_the_report_has_a_line_a_spectrum_and_a_reason_for_each_star_without(
    workspace: Workspace, survey: SyntheticSurvey, model_id: str, make_context: MakeContext
) -> None:
    star = survey.stars[0]
    normalization = NormalizationParameters(regions=SHIPPED_REGIONS)
    product = normalize_file(workspace, survey.path(star), normalization).normalization_id
    infer_labels(workspace, [product], model_id, InferenceParameters())
    lines = report([keys(star), {"obj": NAME, "field": "000+14", "telescope": "apo25m"}], model_id, make_context())
    assert len(lines) == 2
    assert lines[0].startswith(f"{star.obj}: TEFF = ")
    assert "LOGG" in lines[0]
    assert lines[1].startswith(f"{NAME}: missing")


def test_the_report_is_about_the_normalisation_that_was_asked_for(
    workspace: Workspace, survey: SyntheticSurvey, model_id: str, make_context: MakeContext
) -> None:
    star = next(star for star in survey.stars if len(survey.visits(star, survey.nights[-1])) > 1)
    visits = NormalizationParameters(regions=SHIPPED_REGIONS, sum_axis=None)
    product = normalize_file(workspace, survey.path(star), visits).normalization_id
    infer_labels(workspace, [product], model_id, InferenceParameters())
    for sum_axis in (None, "None"):
        lines = report([keys(star)], model_id, make_context(), sum_axis=sum_axis)
        assert [line.partition(":")[0] for line in lines] == [
            f"{star.obj} MJD {mjd}" for mjd in survey.visits(star, survey.nights[-1])
        ]
    with pytest.raises(AirflowFailException, match=f"unfinished: {star.obj}"):
        report([keys(star)], model_id, make_context(), sum_axis="0")


def test_a_star_that_is_here_and_has_nothing_makes_the_report_fail(
    survey: SyntheticSurvey, model_id: str, make_context: MakeContext
) -> None:
    with pytest.raises(AirflowFailException, match=f"unfinished: {survey.stars[1].obj};"):
        report([keys(survey.stars[1])], model_id, make_context())


@pytest.mark.parametrize("nothing", [None, []])
def test_a_report_of_no_star_fails(workspace: Workspace, make_context: MakeContext, nothing: object) -> None:
    with pytest.raises(AirflowFailException, match="no star was listed"):
        report(nothing, None, make_context())
