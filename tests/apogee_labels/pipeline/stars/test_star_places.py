"""Where the files of many stars are: by their keys, or by the index where these do not tell."""

from __future__ import annotations

import logging
import shutil

import pytest

from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.stars.star_places import places_of
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey


def test_keys_tell_where_a_file_is_or_would_be(workspace: Workspace, survey: SyntheticSurvey) -> None:
    star = survey.stars[0]
    keys = {"obj": star.obj, "telescope": star.telescope, "field": star.field, "healpix": str(star.healpix)}
    here, elsewhere, other = places_of(workspace, [keys, keys | {"field": "000+14"}, keys | {"release": "sdss5"}])
    assert (here.path, here.is_here) == (survey.path(star), True)
    assert (elsewhere.is_here, elsewhere.fault) == (False, "")
    assert elsewhere.path is not None
    assert "/000+14/" in str(elsewhere.path)
    assert other.path is not None
    assert f"/{star.healpix}/" in str(other.path)
    assert here.keys is not None
    assert here.keys.field == star.field


def test_a_star_that_can_be_nowhere_says_why(workspace: Workspace) -> None:
    keys = {"obj": "2M1", "telescope": "apo25m"}
    no_field, odd, no_release = places_of(
        workspace, [keys, keys | {"obj": "../2M1", "field": "a"}, keys | {"release": "dr99", "field": "a"}]
    )
    assert {no_field.path, odd.path, no_release.path} == {None}
    assert "field missing. The index of the archive does not know the star either." in no_field.fault
    assert "cannot be part of a path" in odd.fault
    assert "dr99" in no_release.fault


def test_the_index_knows_stars_whose_field_is_not_told(
    workspace: Workspace, survey: SyntheticSurvey, caplog: pytest.LogCaptureFixture
) -> None:
    star = survey.stars[0]
    second = survey.path(star).parent.parent / "zzz" / survey.path(star).name
    second.parent.mkdir()
    shutil.copy(survey.path(star), second)
    scan_archive(workspace, star.telescope)
    with caplog.at_level(logging.INFO):
        (place,) = places_of(workspace, [{"obj": star.obj, "telescope": star.telescope}])
    assert place.path == survey.path(star)
    assert "1 stars have several files" in caplog.text
