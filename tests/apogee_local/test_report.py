"""What `make run` prints at its end."""

from __future__ import annotations

import pytest

from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
from apogee_labels.pipeline.models.acceptance import accept_model
from apogee_labels.pipeline.nights.night import NightKey, list_night
from apogee_labels.pipeline.nights.publish import publish_night
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from apogee_local.report import comparison, night_summaries


@pytest.fixture
def night(workspace: Workspace, model_id: str) -> int:
    """A night that is done; returns the number of its stars."""
    accept_model(workspace, model_id, "test")
    parameters = NormalizationParameters(regions=workspace.settings.continuum_regions)
    key, identities = NightKey("apo25m", 59280, "test"), ResultIdentities.of(parameters, InferenceParameters())
    due = list_night(workspace, key, identities, model_id)
    products = [normalize_file(workspace, path, parameters).normalization_id for path in due]
    infer_labels(workspace, products, model_id, InferenceParameters())
    publish_night(workspace, key, identities)
    return len(due)


def test_a_line_a_night(night: int) -> None:
    assert list(night_summaries()) == [
        f"apo25m MJD 59280 (evening of 2021-03-06): {night} file(s) listed: {night} done"
    ]


def test_nothing_was_published(workspace: Workspace) -> None:
    assert list(night_summaries()) == []


def test_inferred_labels_are_beside_the_true_ones(night: int, survey: SyntheticSurvey, workspace: Workspace) -> None:
    lines = comparison().splitlines()
    truth = survey.truth()
    stars = [line.split() for line in lines if line.startswith("2M")]
    assert len(stars) == night
    for name, _, _, *values in stars:
        inferred, true = [float(value) for value in values[::2]], [float(value) for value in values[1::2]]
        assert true == pytest.approx(list(truth[name].values()), abs=0.006)
        assert inferred[0] == pytest.approx(true[0], abs=150)
    assert f"... {night} stars in all; inferred less true:" in lines
    (teff,) = (line.split() for line in lines if line.startswith("  TEFF"))
    differences = [float(star[3]) - float(star[4]) for star in stars]
    assert float(teff[2]) == pytest.approx(sum(differences) / night, abs=0.2)
    assert float(teff[4]) == pytest.approx((sum(each**2 for each in differences) / night) ** 0.5, abs=0.2)
