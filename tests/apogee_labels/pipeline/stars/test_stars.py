"""What became of stars that were asked for by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
from apogee_labels.pipeline.ingest.fetch import find_or_fetch
from apogee_labels.pipeline.stars.stars import StarOutcome, star_outcomes
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey


@pytest.fixture
def model_id(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    return put_model(workspace)


@pytest.fixture
def stars(survey: SyntheticSurvey) -> list[dict[str, Any]]:
    return [{"obj": star.obj, "telescope": star.telescope, "field": star.field} for star in survey.stars]


def reason(outcome: StarOutcome) -> Reason | None:
    assert outcome.result is None
    return outcome.reason


def test_each_star_is_told_in_the_order_asked_for(
    workspace: Workspace, survey: SyntheticSurvey, stars: list[dict[str, Any]],
    normalization: NormalizationParameters, identities: ResultIdentities, model_id: str,
) -> None:  # fmt: skip
    product = normalize_file(workspace, survey.path(survey.stars[1]), normalization).normalization_id
    infer_labels(workspace, [product], model_id, InferenceParameters())
    damage(survey.path(survey.stars[2]), Damage.TRUNCATED)
    with pytest.raises(BadInputError):
        normalize_file(workspace, survey.path(survey.stars[2]), normalization)
    survey.path(survey.stars[3]).unlink()
    unknown = {"obj": "2M00000000+0000000", "feild": "x"}
    outcomes = star_outcomes(workspace, [*stars[:4], unknown], identities, model_id)
    assert [outcome.obj for outcome in outcomes] == [star["obj"] for star in [*stars[:4], unknown]]
    unfinished, done, rejected, absent, misspelt = outcomes
    assert done.result is not None
    assert done.result.normalization_id == product
    assert [reason(each) for each in (unfinished, rejected, absent, misspelt)] == [
        None, Reason.UNREADABLE, Reason.MISSING, Reason.MISSING,
    ]  # fmt: skip
    assert unfinished.lines() == [f"{unfinished.obj}: unfinished"]
    assert rejected.lines()[0].startswith(f"{rejected.obj}: unreadable: ")
    assert "did not come" in absent.message
    assert "feild" in misspelt.message
    (line,) = done.lines()
    labels = done.result.rows[0].labels
    assert all(f"{label.name} = {label.value:.4g} +- {label.error:.2g}" for label in labels)
    assert line.startswith(f"{done.obj}: TEFF = {labels[0].value:.4g} +- {labels[0].error:.2g}, LOGG = ")
    assert "reduced chi-square" in line


def test_a_rewritten_file_is_another_matter(
    workspace: Workspace, survey: SyntheticSurvey, stars: list[dict[str, Any]],
    normalization: NormalizationParameters, identities: ResultIdentities, model_id: str,
) -> None:  # fmt: skip
    """Labels of what a path held before are no labels of what it holds now."""
    path = survey.path(survey.stars[0])
    product = normalize_file(workspace, path, normalization).normalization_id
    infer_labels(workspace, [product], model_id, InferenceParameters())
    path.write_bytes(survey.path(survey.stars[2]).read_bytes())
    (outcome,) = star_outcomes(workspace, stars[:1], identities, model_id)
    assert reason(outcome) is None


def test_regions_that_leave_nothing_are_the_reason(
    workspace: Workspace, survey: SyntheticSurvey, stars: list[dict[str, Any]], model_id: str
) -> None:
    narrow = workspace.settings.data_dir / "narrow.txt"
    narrow.write_text("15200.00 15200.60\n")
    parameters = NormalizationParameters(regions=narrow)
    with pytest.raises(BadInputError):
        normalize_file(workspace, survey.path(survey.stars[0]), parameters)
    identities = ResultIdentities.of(parameters, InferenceParameters())
    assert reason(*star_outcomes(workspace, stars[:1], identities, model_id)) is Reason.NO_CONTINUUM


def test_without_a_model_a_normalised_star_says_so(
    workspace: Workspace, survey: SyntheticSurvey, stars: list[dict[str, Any]],
    normalization: NormalizationParameters, identities: ResultIdentities,
) -> None:  # fmt: skip
    normalize_file(workspace, survey.path(survey.stars[0]), normalization)
    normalised, unfinished = star_outcomes(workspace, stars[:2], identities, None)
    assert (reason(normalised), reason(unfinished)) == (Reason.BAD_MODEL, None)
    assert "the task train" in normalised.message


def test_a_folder_in_the_place_of_the_file_is_told(
    workspace: Workspace, survey: SyntheticSurvey, stars: list[dict[str, Any]],
    normalization: NormalizationParameters, identities: ResultIdentities, model_id: str,
) -> None:  # fmt: skip
    path = survey.path(survey.stars[0])
    path.unlink()
    path.mkdir()
    assert reason(*star_outcomes(workspace, stars[:1], identities, model_id)) is None
    with pytest.raises(BadInputError):
        normalize_file(workspace, path, normalization)
    assert reason(*star_outcomes(workspace, stars[:1], identities, model_id)) is Reason.NOT_A_FILE


def test_a_star_that_was_missing_and_came_is_no_longer_missing(
    workspace: Workspace, survey: SyntheticSurvey, stars: list[dict[str, Any]],
    normalization: NormalizationParameters, identities: ResultIdentities, model_id: str,
) -> None:  # fmt: skip
    path = survey.path(survey.stars[0])
    hidden = path.rename(path.with_suffix(".hidden"))
    with pytest.raises(BadInputError):
        find_or_fetch(workspace, stars[0], use_remote=False)
    assert reason(*star_outcomes(workspace, stars[:1], identities, model_id)) is Reason.MISSING
    hidden.rename(path)
    product = normalize_file(workspace, path, normalization).normalization_id
    infer_labels(workspace, [product], model_id, InferenceParameters())
    (outcome,) = star_outcomes(workspace, stars[:1], identities, model_id)
    assert outcome.result is not None


def test_visits_have_a_line_each(
    workspace: Workspace, survey: SyntheticSurvey, stars: list[dict[str, Any]], model_id: str
) -> None:
    parameters = NormalizationParameters(regions=workspace.settings.continuum_regions, sum_axis=None)
    star, keys = next(
        (star, keys)
        for star, keys in zip(survey.stars, stars, strict=True)
        if len(survey.visits(star, survey.nights[-1])) > 1
    )
    product = normalize_file(workspace, survey.path(star), parameters).normalization_id
    infer_labels(workspace, [product], model_id, InferenceParameters())
    (outcome,) = star_outcomes(workspace, [keys], ResultIdentities.of(parameters, InferenceParameters()), model_id)
    assert [line.partition(":")[0] for line in outcome.lines()] == [
        f"{star.obj} MJD {mjd}" for mjd in survey.visits(star, survey.nights[-1])
    ]
