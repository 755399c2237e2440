"""A small survey, written once in each layout."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from apogee_labels.simulation.survey import SyntheticSurvey


class Release(NamedTuple):
    """A release and its reduction."""

    name: str
    apred: str


RELEASES = (Release("dr16", "r12"), Release("dr17", "dr17"), Release("sdss5", "1.3"))


@pytest.fixture(scope="session", params=RELEASES, ids=lambda release: release.name)
def survey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SyntheticSurvey:
    """Eight stars after three nights."""
    release: Release = request.param
    made = SyntheticSurvey(tmp_path_factory.mktemp(release.name), release.name, release.apred, seed=4, n_stars=8)
    made.observe_all()
    return made
