"""What is chosen on the form is what the engine trains with, and what the model says of itself."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.catalog.records import VerdictOutcome
from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.analysis.infer import read_model
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models import train
from apogee_labels.pipeline.models.train import train_model, training_identity
from apogee_labels.pipeline.workspace import Workspace

LINEAR = TrainingParameters(label_names=("TEFF", "FE_H"), order=1)


@pytest.fixture
def few_pixels(workspace: Workspace) -> TrainingSet:
    """The workspace's training set, cut to 600 pixels: what is asked for takes a moment."""
    whole = TrainingSet.read(workspace.settings.training_set)
    cut = slice(1000, 1600)
    few = replace(whole, wavelength=whole.wavelength[cut], flux=whole.flux[:, cut], ivar=whole.ivar[:, cut], digest="")
    few.write(workspace.settings.training_set)
    return few


def made(workspace: Workspace, parameters: TrainingParameters) -> CannonModel:
    return read_model(workspace, train_model(workspace, workspace.settings.training_set, parameters))


def test_each_choice_trains_a_model_of_its_own(workspace: Workspace, few_pixels: TrainingSet) -> None:
    middle = float(few_pixels.wavelength[300])
    plain = made(workspace, LINEAR)
    censored = made(workspace, LINEAR.replace(censors={"FE_H": ((middle, 17000.0),)}))
    median = made(workspace, LINEAR.replace(scatter_rule="median"))
    sparse = made(workspace, LINEAR.replace(regularization=1e4))
    iron = censored.vectorizer.terms.index("FE_H")
    assert not censored.theta[:300, iron].any()
    assert censored.theta[300:, iron].any()
    assert plain.theta[:300, iron].any()
    assert median.metadata["scatter_rule"] == "median"
    assert np.count_nonzero(median.s2) < np.count_nonzero(plain.s2)
    assert np.count_nonzero(sparse.theta) < np.count_nonzero(plain.theta)
    identities = {str(model.metadata["identity"]) for model in (plain, censored, median, sparse)}
    assert len(identities) == 4
    records = [workspace.catalog.models.get(identity) for identity in identities]
    assert {json.dumps(record.parameters.get("censors")) for record in records if record} == {
        "null", json.dumps({"FE_H": [[middle, 17000.0]]}),
    }  # fmt: skip


def test_a_path_chooses_its_strength_by_stars_held_back(
    workspace: Workspace, few_pixels: TrainingSet, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, train.__name__):
        chosen = made(workspace, LINEAR.replace(regularization_path=(1e9, 1.0)))
    assert chosen.metadata["regularization"] == 1.0, "1e9 leaves no lines"
    tried = json.loads(str(chosen.metadata["regularization_path"]))
    assert [strength for strength, _ in tried] == [1.0, 1e9]
    assert tried[0][1] < tried[1][1]
    assert "Lambda 1 is chosen, by the residuals of stars held back (1: " in caplog.text
    given = made(workspace, LINEAR.replace(regularization=1.0))
    np.testing.assert_array_equal(given.theta, chosen.theta)
    assert given.metadata["identity"] != chosen.metadata["identity"]


def test_a_censor_without_a_pixel_of_this_set_is_a_verdict(workspace: Workspace, few_pixels: TrainingSet) -> None:
    parameters = LINEAR.replace(censors={"FE_H": ((16900.0, 16950.0),)})
    for _ in range(2):
        with pytest.raises(BadInputError, match="ranges of FE_H with pixels of the training set"):
            made(workspace, parameters)
    verdict = workspace.catalog.models.verdict(training_identity(workspace.settings.training_set, parameters))
    assert verdict is not None
    assert verdict.outcome is VerdictOutcome.BROKEN
