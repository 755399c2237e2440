"""An installation of its own for each test, named by the environment as the command finds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.nights.night import NightKey, list_night
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_airflow.conftest import installation, survey, workspace

__all__ = ["installation", "survey", "workspace"]


@pytest.fixture
def listed_night(workspace: Workspace) -> Callable[[], str]:
    """List the first night as a scheduled run does; returns the name of one of its files."""

    def list_it() -> str:
        night = NightKey("apo25m", 59280, "scheduled__x")
        return Path(
            list_night(workspace, night, ResultIdentities.nightly(workspace.settings.continuum_regions), None)[0]
        ).name

    return list_it
