"""An installation of its own for each test, with the small survey of tests/conftest.py in its archive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from apogee_labels.apogee.tables.cuts import Cuts
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.identities import (
    InferenceParameters,
    NormalizationParameters,
    ResultIdentities,
    TrainingParameters,
)
from apogee_labels.pipeline.parameters import TrainingSetParameters
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support.archive_server import Remote, serve


@pytest.fixture
def survey(tmp_path: Path, survey_data: Path) -> SyntheticSurvey:
    """The survey whose files this test's workspace holds."""
    shutil.copytree(survey_data, tmp_path / "data")
    return SyntheticSurvey(tmp_path / "data" / "sas", n_stars=12, nights=2)


@pytest.fixture
def workspace(survey: SyntheticSurvey) -> Iterator[Workspace]:
    """An installation of its own for each test."""
    with Workspace.open(Settings(data_dir=survey.root.parent)) as workspace:
        yield workspace


@pytest.fixture
def normalization(workspace: Workspace) -> NormalizationParameters:
    """The parameters of the nightly DAGs."""
    return NormalizationParameters(regions=workspace.settings.continuum_regions)


@pytest.fixture
def training(workspace: Workspace) -> TrainingParameters:
    """The installation's training parameters."""
    return TrainingParameters(label_names=workspace.settings.label_names)


@pytest.fixture
def identities(normalization: NormalizationParameters) -> ResultIdentities:
    """What identifies the products of the nightly DAGs."""
    return ResultIdentities.of(normalization, InferenceParameters())


@pytest.fixture
def table(survey: SyntheticSurvey) -> Path:
    """The true labels of the survey's stars, with the keys of their files and no signal-to-noise ratio."""
    return survey.root / "truth.csv"


@pytest.fixture
def parameters(normalization: NormalizationParameters) -> TrainingSetParameters:
    """Everything that has labels."""
    return TrainingSetParameters(
        label_names=("TEFF", "LOGG", "FE_H"), normalization=normalization, cuts=Cuts(min_snr=0.0)
    )


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, survey: SyntheticSurvey) -> Iterator[Remote]:
    """A server that has every file of the survey."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as remote:
        for star in survey.stars:
            path = survey.path(star)
            remote.files[f"/sas/{path.relative_to(survey.root)}"] = path.read_bytes()
        yield remote
