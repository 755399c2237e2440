"""A folder that somebody puts files into."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
from apogee_labels.pipeline.ingest.folder import list_folder, look_at_folder
from apogee_labels.pipeline.stars.stars import file_outcomes
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey


@pytest.fixture
def folder(survey: SyntheticSurvey) -> Path:
    """Three files, one of them damaged, and things that are none."""
    folder = survey.root.parent / "incoming"
    folder.mkdir()
    for star in survey.stars[:3]:
        shutil.copy(survey.path(star), folder)
    damage(folder / survey.path(survey.stars[0]).name, Damage.EMPTY)
    (folder / "notes.txt").write_text("not a spectrum")
    (folder / ".apStar-dr17-2M00000000+0000000.fits.part").write_bytes(b"half")
    return folder


def names(paths: tuple[str, ...]) -> set[str]:
    return {Path(path).name for path in paths}


def test_what_is_quiet_and_not_on_record_is_new(
    workspace: Workspace, folder: Path, identities: ResultIdentities
) -> None:
    moving = look_at_folder(workspace, folder, settle_time=60)
    assert (moving.n_files, moving.new, moving.n_moving) == (3, (), 3)
    (first, *_) = sorted(folder.glob("apStar*"))
    os.utime(first, (time.time() - 61,) * 2)
    assert names(look_at_folder(workspace, folder, settle_time=60).new) == {first.name}
    assert names(list_folder(workspace, folder, identities, None, settle_time=60)) == {first.name}
    assert look_at_folder(workspace, folder, settle_time=60).new == ()
    assert len(look_at_folder(workspace, folder, settle_time=0).new) == 2
    first.write_bytes(first.read_bytes() + b"\0" * 2880)
    assert first.name in names(look_at_folder(workspace, folder, settle_time=0).new), "it was rewritten"


def test_each_file_is_done_once_and_a_bad_one_rejected(
    workspace: Workspace,
    folder: Path,
    survey: SyntheticSurvey,
    normalization: NormalizationParameters,
    identities: ResultIdentities,
    put_model: Callable[[Workspace], str],
) -> None:
    model_id = put_model(workspace)
    due = list_folder(workspace, folder, identities, model_id, settle_time=0)
    assert len(due) == 3
    for path in due:
        try:
            item = normalize_file(workspace, path, normalization)
        except BadInputError:
            continue
        infer_labels(workspace, [item.normalization_id], model_id, InferenceParameters())
    outcomes = file_outcomes(workspace, due, identities, model_id)
    assert sorted(str(outcome.reason) for outcome in outcomes) == ["None", "None", Reason.EMPTY]
    assert {outcome.obj for outcome in outcomes if outcome.result} == {star.obj for star in survey.stars[1:3]}
    assert list_folder(workspace, folder, identities, model_id, settle_time=0) == ()


def test_what_nobody_did_is_unfinished(workspace: Workspace, folder: Path, identities: ResultIdentities) -> None:
    due = list_folder(workspace, folder, identities, "model", settle_time=0)
    assert [(each.result, each.reason) for each in file_outcomes(workspace, due, identities, "model")] == [
        (None, None)
    ] * 3


def test_a_folder_that_is_not_there_is_empty(workspace: Workspace, identities: ResultIdentities) -> None:
    missing = workspace.settings.data_dir / "nowhere"
    assert look_at_folder(workspace, missing, settle_time=0).n_files == 0
    assert list_folder(workspace, missing, identities, None, settle_time=0) == ()


@pytest.mark.parametrize("outside", ["/etc", "{data}/../elsewhere", "{data}/link"])
def test_a_form_opens_no_folder_elsewhere(workspace: Workspace, tmp_path: Path, outside: str) -> None:
    data = workspace.settings.data_dir
    (data / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="may not be watched"):
        look_at_folder(workspace, outside.format(data=data), settle_time=0)
