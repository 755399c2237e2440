"""A whole night through the steps, without Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from astropy.table import Table

from apogee_labels.catalog.records import FileStatus
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import (
    InferenceParameters,
    NormalizationParameters,
    ResultIdentities,
    TrainingParameters,
)
from apogee_labels.pipeline.models.acceptance import accept_model
from apogee_labels.pipeline.models.train import train_model
from apogee_labels.pipeline.nights.night import NightKey, Scope, batches, list_night, look_at_night
from apogee_labels.pipeline.nights.publish import NightSummary, publish_night
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey

FIRST, SECOND = 59280, 59281
Run = Callable[..., NightSummary]


@pytest.fixture
def model_id(workspace: Workspace, training: TrainingParameters) -> str:
    identity = train_model(workspace, workspace.settings.training_set, training)
    accept_model(workspace, identity, "test")
    return identity


@pytest.fixture
def run(workspace: Workspace, normalization: NormalizationParameters, identities: ResultIdentities) -> Run:
    """Process a night as the DAG does, file by file, and publish it."""

    def process(
        mjd: int, model: str | None, run_id: str = "first", telescope: str = "apo25m", late_nights: int = 0
    ) -> NightSummary:
        night = NightKey(telescope, mjd, run_id)
        for path in list_night(workspace, night, identities, model, Scope(late_nights=late_nights)):
            try:
                item = normalize_file(workspace, path, normalization)
            except BadInputError:
                continue
            if model:
                infer_labels(workspace, [item.normalization_id], model, InferenceParameters())
        return publish_night(workspace, night, identities)

    return process


def stars_of_night(survey: SyntheticSurvey, telescope: str, mjd: int) -> set[str]:
    return {star.obj for star in survey.stars if star.telescope == telescope and mjd in survey.visits(star, mjd)}


def test_every_file_of_the_night_gets_labels(
    workspace: Workspace, survey: SyntheticSurvey, run: Run, model_id: str
) -> None:
    summary = run(SECOND, model_id)
    expected = stars_of_night(survey, "apo25m", SECOND)
    table = Table.read(summary.table)
    assert summary.outcome.counts[FileStatus.DONE] == len(expected) > 0
    assert set(table["obj"]) == expected
    truth = survey.truth()
    for star in table:
        assert star["teff"] == pytest.approx(truth[star["obj"]]["TEFF"], abs=150)
        assert star["fe_h"] == pytest.approx(truth[star["obj"]]["FE_H"], abs=0.1)
    assert summary.fault(max_rejected_share=0.5) is None
    assert set(workspace.catalog.labels(night=SECOND)["obj"]) == expected


def test_a_second_run_does_nothing_and_says_so(run: Run, model_id: str) -> None:
    first = run(FIRST, model_id)
    written = first.table.stat().st_mtime_ns
    second = run(FIRST, model_id, "second")
    assert second.outcome.counts[FileStatus.COMPLETE] == len(second.outcome.files) == len(first.outcome.files)
    assert any("nothing was to do" in line for line in second.lines())
    assert second.table.stat().st_mtime_ns == written


def test_one_bad_file_does_not_stop_the_night(survey: SyntheticSurvey, run: Run, model_id: str) -> None:
    (victim, *_) = sorted(stars_of_night(survey, "apo25m", FIRST))
    path = next(survey.path(star) for star in survey.stars if star.obj == victim)
    damage(path, Damage.TRUNCATED)
    summary = run(FIRST, model_id)
    (rejected,) = summary.outcome.having(FileStatus.REJECTED)
    assert rejected.path == str(path)
    assert any(path.name in line and "unreadable" in line for line in summary.lines())
    assert summary.fault(max_rejected_share=0.5) is None
    assert "rejected" in (summary.fault(max_rejected_share=0.0) or "")


def test_a_file_whose_header_is_lost_is_rejected_by_the_first_run_that_sees_it(
    survey: SyntheticSurvey, run: Run, model_id: str
) -> None:
    damage(survey.path(survey.stars[0]), Damage.EMPTY)
    first, second = run(FIRST, model_id), run(SECOND, model_id)
    telescope = survey.stars[0].telescope
    assert telescope == "apo25m"
    assert len(first.outcome.having(FileStatus.REJECTED)) == 1
    assert second.outcome.having(FileStatus.REJECTED) == ()


def test_without_a_model_the_night_is_normalised_and_a_later_run_infers(
    workspace: Workspace, training: TrainingParameters, run: Run
) -> None:
    before = run(FIRST, None)
    assert before.outcome.counts[FileStatus.NORMALIZED] == len(before.outcome.files) > 0
    assert before.fault(max_rejected_share=0.5) is None
    identity = train_model(workspace, workspace.settings.training_set, training)
    accept_model(workspace, identity, "test")
    after = run(FIRST, identity, "second")
    assert after.outcome.counts[FileStatus.DONE] == len(before.outcome.files)


def test_what_has_neither_result_nor_rejection_is_a_fault(
    workspace: Workspace, identities: ResultIdentities, model_id: str
) -> None:
    night = NightKey("apo25m", FIRST, "broken")
    due = list_night(workspace, night, identities, model_id)
    summary = publish_night(workspace, night, identities)
    assert summary.outcome.counts[FileStatus.FAILED] == len(due) > 0
    assert "neither a result nor a rejection" in (summary.fault(max_rejected_share=1.0) or "")


def test_a_late_file_is_taken_by_the_next_scheduled_night(survey: SyntheticSurvey, run: Run, model_id: str) -> None:
    (late, *_) = stars_of_night(survey, "apo25m", FIRST) - stars_of_night(survey, "apo25m", SECOND)
    path = next(survey.path(star) for star in survey.stars if star.obj == late)
    shutil.move(path, path.with_suffix(".hidden"))
    run(FIRST, model_id)
    shutil.move(path.with_suffix(".hidden"), path)
    own = run(SECOND, model_id, "own night only")
    both = run(SECOND, model_id, "scheduled", late_nights=14)
    assert str(path) not in {file.path for file in own.outcome.files}
    assert str(path) in {file.path for file in both.outcome.having(FileStatus.DONE)}


def test_an_empty_night_is_a_clean_no_op(run: Run, model_id: str) -> None:
    summary = run(50000, model_id)
    assert summary.outcome.files == ()
    assert summary.fault(max_rejected_share=0.5) is None
    assert any("no files" in line for line in summary.lines())


def test_a_look_tells_how_many_files_have_come(workspace: Workspace, survey: SyntheticSurvey) -> None:
    look = look_at_night(workspace, "lco25m", SECOND)
    assert look.n_files == len(stars_of_night(survey, "lco25m", SECOND))
    assert look.newest is not None
    assert look_at_night(workspace, "lco25m", 50000).newest is None


@pytest.mark.parametrize(
    ("n_files", "at_least", "expected"), [(0, 1, []), (5, 1, [1] * 5), (11, 1, [2] * 5 + [1]), (5, 64, [5])]
)
def test_batches_stay_below_their_number(n_files: int, at_least: int, expected: list[int]) -> None:
    paths = [str(number) for number in range(n_files)]
    divided = batches(paths, max_batches=8, at_least=at_least)
    assert [len(batch) for batch in divided] == expected
    assert [path for batch in divided for path in batch] == paths


def test_a_star_without_continuum_is_rejected_and_the_night_is_green(
    workspace: Workspace, identities: ResultIdentities, model_id: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BadInputError(Reason.NO_CONTINUUM, "no good continuum pixel")

    monkeypatch.setattr("apogee_labels.cannon.continuum.normalization.normalize", refuse)
    summary = run(FIRST, model_id)
    assert summary.outcome.counts[FileStatus.REJECTED] == len(summary.outcome.files) > 0
    assert summary.fault(max_rejected_share=1.0) is None


def test_a_late_star_comes_into_the_table_of_its_own_night(survey: SyntheticSurvey, run: Run, model_id: str) -> None:
    (late, *_) = stars_of_night(survey, "apo25m", FIRST) - stars_of_night(survey, "apo25m", SECOND)
    path = next(survey.path(star) for star in survey.stars if star.obj == late)
    shutil.move(path, path.with_suffix(".hidden"))
    table = run(FIRST, model_id).table
    assert late not in Table.read(table)["obj"]
    shutil.move(path.with_suffix(".hidden"), path)
    run(SECOND, model_id, "scheduled", late_nights=14)
    assert late in Table.read(table)["obj"]


@pytest.mark.parametrize("kind", [Damage.TRUNCATED, Damage.EMPTY])
def test_a_star_whose_file_turns_bad_leaves_the_tables_of_its_older_nights(
    survey: SyntheticSurvey, run: Run, model_id: str, kind: Damage
) -> None:
    victim, *_ = sorted(stars_of_night(survey, "apo25m", FIRST) & stars_of_night(survey, "apo25m", SECOND))
    table = run(FIRST, model_id).table
    assert victim in Table.read(table)["obj"]
    damage(next(survey.path(star) for star in survey.stars if star.obj == victim), kind)
    run(SECOND, model_id)
    assert victim not in Table.read(table)["obj"], "its file holds another content now, which has no labels"


def test_products_are_found_where_the_data_folder_is_now(
    workspace: Workspace, run: Run, model_id: str, normalization: NormalizationParameters
) -> None:
    run(FIRST, None)
    moved = workspace.settings.data_dir.rename(workspace.settings.data_dir.with_name("moved"))
    with Workspace.open(Settings(data_dir=moved)) as elsewhere:
        (product, *_) = (path.stem for path in sorted((moved / "normalized").rglob("*.fits")))
        assert infer_labels(elsewhere, [product], model_id, InferenceParameters()).n_complete == 0


def test_an_experiment_does_not_change_the_table_of_the_night(
    workspace: Workspace, survey: SyntheticSurvey, run: Run, model_id: str, normalization: NormalizationParameters
) -> None:
    summary = run(FIRST, model_id)
    before = summary.table.read_bytes()
    star = next(star for star in survey.stars if star.obj in stars_of_night(survey, "apo25m", FIRST))
    other = NormalizationParameters(regions=normalization.regions, length=900.0, order=5)
    item = normalize_file(workspace, survey.path(star), other)
    infer_labels(workspace, [item.normalization_id], model_id, InferenceParameters())
    run(FIRST, model_id, "again")
    assert summary.table.read_bytes() == before
