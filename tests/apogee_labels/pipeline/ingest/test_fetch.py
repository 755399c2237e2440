"""The file of one star, by its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.download import fetch as transfer
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.ingest.fetch import archive_and_keys, find_or_fetch, local_path
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey


@pytest.fixture
def star(survey: SyntheticSurvey) -> dict[str, Any]:
    star = survey.stars[0]
    return {"obj": star.obj, "telescope": star.telescope, "field": star.field}


def test_a_star_s_path_is_the_archive_s(workspace: Workspace, survey: SyntheticSurvey, star: dict[str, Any]) -> None:
    assert local_path(workspace, star) == survey.path(survey.stars[0])
    assert find_or_fetch(workspace, star, use_remote=False) == survey.path(survey.stars[0])


def test_what_is_not_given_is_the_installation_s_or_the_release_s(workspace: Workspace, star: dict[str, Any]) -> None:
    archive, keys = archive_and_keys(workspace, star | {"apred": "", "healpix": None})
    assert (archive.release, keys.release, keys.apred) == ("dr17", "dr17", "dr17")
    archive, keys = archive_and_keys(workspace, star | {"release": "dr16"})
    assert (archive.release, keys.release, keys.apred) == ("dr16", "dr16", "r12")
    _, keys = archive_and_keys(workspace, star | {"release": "dr16", "apred": "r13", "apstar": "stars"})
    assert keys.apred == "r13"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"obj": "2M16505794-2118004", "feild": "000+14"}, "unknown key.*feild: known are release"),
        ({"obj": "../../etc/passwd", "field": "000+14"}, "name no apStar file"),
        ({"field": "000+14"}, "name no apStar file"),
    ],
)
def test_keys_that_name_no_file_are_refused(workspace: Workspace, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        find_or_fetch(workspace, {"telescope": "apo25m"} | keys, use_remote=False)
    assert caught.value.reason is Reason.MISSING


def test_a_file_that_is_not_here_says_what_to_do(workspace: Workspace, star: dict[str, Any]) -> None:
    local_path(workspace, star).unlink()
    with pytest.raises(BadInputError, match="use_remote") as caught:
        find_or_fetch(workspace, star, use_remote=False)
    assert caught.value.reason is Reason.MISSING


def test_the_mirror_that_is_set_is_asked(
    workspace: Workspace, survey: SyntheticSurvey, star: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(archive: Archive, keys: ApStarKeys, *, remote_base: str | None) -> Path:
        asked.append((keys.obj, remote_base))
        return archive.path(keys)

    monkeypatch.setattr(transfer, "fetch_apstar", fetch)
    settings = Settings(data_dir=workspace.settings.data_dir, remote_base="http://mirror.example")
    for each in (workspace, Workspace(settings, workspace.catalog)):
        assert find_or_fetch(each, star, use_remote=True) == survey.path(survey.stars[0])
    assert asked == [(star["obj"], workspace.settings.remote_base), (star["obj"], "http://mirror.example")]
