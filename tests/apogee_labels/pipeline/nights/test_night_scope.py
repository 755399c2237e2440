"""Which files a run takes besides those of its night that are due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from apogee_labels.catalog.records import FileStatus, utc_now
from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
from apogee_labels.pipeline.nights import night as subject
from apogee_labels.pipeline.nights.night import NightKey, Scope, list_night
from apogee_labels.pipeline.nights.publish import publish_night
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey

FIRST, SECOND = 59280, 59281
TELESCOPE = "apo25m"
LATE = Scope(late_nights=14)
List = Callable[..., set[str]]


@pytest.fixture
def listed(workspace: Workspace, identities: ResultIdentities) -> List:
    """List a night, and return the names of the files that are due."""

    def listed(mjd: int, scope: Scope, model_id: str | None = None, run_id: str = "run") -> set[str]:
        return set(list_night(workspace, NightKey(TELESCOPE, mjd, run_id), identities, model_id, scope))

    return listed


def files(survey: SyntheticSurvey, *mjds: int) -> set[str]:
    """The paths of the stars that are seen on one of the nights."""
    return {
        str(survey.path(star))
        for star in survey.stars
        if star.telescope == TELESCOPE and set(mjds) & set(survey.visits(star, SECOND))
    }


def test_a_scheduled_night_takes_what_no_run_has_done_for_the_nights_before(
    survey: SyntheticSurvey, listed: List
) -> None:
    assert listed(SECOND, Scope()) == files(survey, SECOND)
    assert listed(SECOND, LATE) == files(survey, FIRST, SECOND)
    assert listed(SECOND, Scope(late_nights=0)) == files(survey, SECOND)
    assert listed(SECOND + 15, LATE) == set()


def test_a_night_that_has_a_run_of_its_own_to_come_is_left_to_it(survey: SyntheticSurvey, listed: List) -> None:
    """Runs that catch up start together: each would otherwise do all nights before its own."""
    only_first = files(survey, FIRST) - files(survey, SECOND)
    assert only_first
    caught_up = Scope(late_nights=14, first_night=FIRST)
    assert not listed(SECOND, caught_up) & only_first
    assert listed(SECOND, Scope(late_nights=14, first_night=SECOND)) >= only_first, "FIRST has none: it is before"


def test_what_another_run_has_in_hand_is_left_to_it(
    survey: SyntheticSurvey, listed: List, workspace: Workspace, identities: ResultIdentities
) -> None:
    only_first = files(survey, FIRST) - files(survey, SECOND)
    listed(FIRST, Scope(), run_id="of the first night")
    assert not listed(SECOND, LATE) & only_first
    publish_night(workspace, NightKey(TELESCOPE, FIRST, "of the first night"), identities)
    assert listed(SECOND, LATE) >= only_first, "that run has ended and not done them: they are late"


def test_a_run_that_never_ended_is_an_excuse_for_a_day(
    survey: SyntheticSurvey, listed: List, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_first = files(survey, FIRST) - files(survey, SECOND)
    listed(FIRST, Scope(), run_id="died")
    monkeypatch.setattr(subject, "utc_now", lambda: utc_now() + timedelta(hours=25))
    assert listed(SECOND, LATE) >= only_first


def test_its_own_files_are_a_nights_duty_whoever_else_has_them_in_hand(survey: SyntheticSurvey, listed: List) -> None:
    listed(FIRST, Scope(), run_id="one")
    assert listed(FIRST, Scope(), run_id="another") == files(survey, FIRST)


def test_reprocessing_takes_all_files_of_the_night_and_of_no_other(
    survey: SyntheticSurvey,
    listed: List,
    workspace: Workspace,
    identities: ResultIdentities,
    normalization: NormalizationParameters,
    put_model: Callable[[Workspace], str],
) -> None:
    model_id = put_model(workspace)
    damage(survey.path(survey.stars[0]), Damage.TRUNCATED)
    for path in sorted(listed(FIRST, Scope(), model_id)):
        try:
            item = normalize_file(workspace, path, normalization)
        except BadInputError:
            continue
        infer_labels(workspace, [item.normalization_id], model_id, InferenceParameters())
    assert listed(FIRST, Scope(), model_id, "second") == set()
    assert listed(FIRST, Scope(reprocess=True), model_id, "third") == files(survey, FIRST)
    listing = workspace.catalog.nights.listing(TELESCOPE, FIRST, "third")
    assert listing is not None
    assert {file.state for file in listing.files} == {FileStatus.DUE}
    outcome = publish_night(workspace, NightKey(TELESCOPE, FIRST, "third"), identities).outcome
    assert outcome.counts[FileStatus.DONE] == len(files(survey, FIRST)) - 1
    assert outcome.counts[FileStatus.REJECTED] == 1
