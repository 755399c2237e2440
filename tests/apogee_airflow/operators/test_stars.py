"""The form of the tutorial DAG, and its report."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow import ListStarsOperator, ReportStarsOperator
from apogee_labels.core.settings import SHIPPED_REGIONS, Settings
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticStar, SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext

NAME, OTHER, THIRD = "2M16505794-2118004", "2M17000000-2118004", "2M18000000-2118004"


def stars(context: Any) -> list[dict[str, Any]]:
    return ListStarsOperator(task_id="list").execute(context)


def report(stars: Any, model_id: str | None, context: Any, **arguments: Any) -> list[str]:
    operator: Any = ReportStarsOperator(task_id="report", stars=stars, model_id=model_id, **arguments)
    return operator.execute(context)


def keys(star: SyntheticStar) -> dict[str, Any]:
    return {"obj": star.obj, "telescope": star.telescope, "field": star.field}


def test_the_fields_of_the_form_are_one_star(installation: Settings, make_context: MakeContext) -> None:
    context = make_context(obj=NAME, telescope="apo25m", field="000+14", healpix=None, release="", stars=[], order=2)
    assert stars(context) == [{"obj": NAME, "telescope": "apo25m", "field": "000+14"}]


def test_a_list_a_table_and_a_file_are_taken_together(installation: Settings, make_context: MakeContext) -> None:
    (installation.data_dir / "planned.csv").write_text(f"obj\n{THIRD}\n{NAME}\n")
    given = [{"obj": NAME}]
    context = make_context(
        telescope="apo25m",
        field="000+14",
        stars=given,
        stars_csv=f"obj,field\n{OTHER},001+14",
        stars_file="planned.csv",
    )
    assert stars(context) == [
        {"obj": NAME, "telescope": "apo25m", "field": "000+14"},
        {"obj": OTHER, "telescope": "apo25m", "field": "001+14"},
        {"obj": THIRD, "telescope": "apo25m", "field": "000+14"},
    ]
    assert given[0] == {"obj": NAME}, "the form itself is left as it was"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "nothing was started:\nthe form names no star"),
        ({"obj": "", "stars": None, "stars_csv": None, "stars_file": None}, "the form names no star"),
        ({"telescope": "apo25m", "stars_csv": f"obj,feild\n{NAME},000+14"}, "the pasted table, line 1: .* 'feild'"),
    ],
)
def test_a_form_or_a_list_with_a_fault_says_where(
    installation: Settings, make_context: MakeContext, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        stars(make_context(**params))


def test_more_stars_than_airflow_maps_are_refused_before_anything_is_started(
    installation: Settings, make_context: MakeContext
) -> None:
    table = "\n".join(["obj", *(f"2M{number:08d}+0000000" for number in range(1025))])
    context = make_context(telescope="apo25m", field="000+14", stars_csv=table)
    with pytest.raises(AirflowFailException, match=r"1025 stars, .* at most 1024 .* split the list into 2 runs"):
        stars(context)
    context["params"]["stars_csv"] = table.rpartition("\n")[0]
    assert len(stars(context)) == 1024


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


def test_a_star_that_could_not_be_fetched_is_unfinished_and_one_that_did_not_come_is_not(
    workspace: Workspace, make_context: MakeContext
) -> None:
    asked: list[object] = []

    def states(dag_id: str, **which: Any) -> dict[str, dict[str, str]]:
        asked.append((dag_id, which))
        return {"manual__test": {"fetch_0": "skipped", "fetch_1": "failed", "fetch_2": "upstream_failed"}}

    context = make_context()
    context["ti"].get_task_states = states
    planned = [{"obj": name, "field": "000+14", "telescope": "apo25m"} for name in (NAME, OTHER, THIRD)]
    with pytest.raises(AirflowFailException, match=f"unfinished: {OTHER}, {THIRD};".replace("+", "[+]")):
        report(planned, None, context, fetch_task_id="fetch")
    assert asked == [("a_dag", {"task_ids": ["fetch"], "run_ids": ["manual__test"]})]
    assert report(planned[:1], None, context, fetch_task_id="fetch")[0].startswith(f"{NAME}: missing: did not come")
