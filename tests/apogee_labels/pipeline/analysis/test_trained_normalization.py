"""A model is asked only about spectra that were normalised as those that it was trained on."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.analysis.infer import infer_files
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.analysis.trained_normalization import (
    MATTERS,
    OtherNormalizationError,
    differences,
    is_same,
    recorded_normalization,
)
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, TrainingParameters
from apogee_labels.pipeline.models.train import train_model, training_identity
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey

LINEAR = TrainingParameters(label_names=("TEFF", "LOGG"), order=1)


def made_with(workspace: Workspace, normalization: NormalizationParameters, name: str) -> Path:
    """The survey's training set, as if it had been made of spectra that were normalised so."""
    text = json.dumps(normalization.as_json())
    path = workspace.settings.data_dir / name
    whole = TrainingSet.read(workspace.settings.training_set)
    replace(whole, provenance={"normalization": text, "release": "dr17"}).write(path)
    return path


@dataclass(frozen=True)
class Trained:
    """An installation with a model whose training set says how it was normalised."""

    workspace: Workspace
    survey: SyntheticSurvey
    normalization: NormalizationParameters
    model_id: str


@pytest.fixture(scope="module")
def trained(survey_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """Train once for the tests that only look."""
    data_dir = tmp_path_factory.mktemp("trained") / "data"
    shutil.copytree(survey_data, data_dir)
    with Workspace.open(Settings(data_dir=data_dir)) as workspace:
        normalization = NormalizationParameters(regions=workspace.settings.continuum_regions)
        identity = train_model(workspace, made_with(workspace, normalization, "set.pkl"), LINEAR)
        survey = SyntheticSurvey(data_dir / "sas", n_stars=12, nights=2)
        yield Trained(workspace, survey, normalization, identity)


def test_the_model_and_its_record_say_how_the_training_spectra_were_normalised(trained: Trained) -> None:
    record = trained.workspace.catalog.models.get(trained.model_id)
    assert record is not None
    assert record.normalization == trained.normalization.as_json()
    assert record.provenance is not None
    assert record.provenance["release"] == "dr17"
    model = CannonModel.read(trained.workspace.model_path(trained.model_id))
    assert recorded_normalization(model.metadata) == trained.normalization.as_json()


def test_a_model_of_another_normalisation_is_refused_for_the_file_alone_or_for_all(
    trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    workspace, normalization, identity = trained.workspace, trained.normalization, trained.model_id
    same, visits, other = (
        normalize_file(workspace, trained.survey.path(trained.survey.stars[0]), parameters).normalization_id
        for parameters in (
            normalization, normalization.replace(sum_axis=None), normalization.replace(order=2),
        )
    )  # fmt: skip
    good, rows, bad = infer_files(workspace, [same, visits, other], identity, InferenceParameters())
    assert (good.fault, rows.fault) == (None, None)
    assert isinstance(bad.fault, BadInputError)
    assert bad.fault.reason is Reason.BAD_MODEL
    assert "normalised otherwise than this one: order 3, not 2." in bad.fault.message
    with pytest.raises(BadInputError, match=f"model {identity[:12]} was trained") as raised:
        infer_files(workspace, [other], identity, InferenceParameters())
    assert raised.value.reason is Reason.BAD_MODEL
    assert "no record of its training set's normalisation" not in caplog.text
    assert workspace.catalog.results.get(good.unwrap().result_id) is not None


def test_a_model_that_does_not_say_is_accepted_with_one_line(
    workspace: Workspace,
    survey: SyntheticSurvey,
    normalization: NormalizationParameters,
    put_model: Callable[[Workspace], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    identity = put_model(workspace)
    items = [normalize_file(workspace, survey.path(star), normalization).normalization_id for star in survey.stars[:2]]
    with caplog.at_level(logging.WARNING):
        outcomes = infer_files(workspace, items, identity, InferenceParameters())
    assert [outcome.fault for outcome in outcomes] == [None, None]
    assert caplog.text.count("no record of its training set's normalisation") == 1
    record = workspace.catalog.models.get(identity)
    assert record is not None
    assert (record.normalization, record.provenance) == (None, None)


def test_a_set_of_another_normalisation_is_not_trained_on_and_gets_no_verdict(
    workspace: Workspace, normalization: NormalizationParameters
) -> None:
    path = made_with(workspace, normalization.replace(length=1000.0), "set.pkl")
    with pytest.raises(OtherNormalizationError, match=r"length 1000\.0, not 1400\.0\.  Make it again with the DAG"):
        train_model(workspace, path, LINEAR)
    identity = training_identity(path, LINEAR)
    assert workspace.catalog.models.verdict(identity) is None, "the same set is right when the settings are"
    assert not list((workspace.settings.data_dir / "models").glob("*.fits"))


def test_what_matters(tmp_path: Path, normalization: NormalizationParameters) -> None:
    mine = normalization.as_json()
    assert set(MATTERS) == set(mine) - {"reader", "sum_axis"}
    assert is_same(mine, mine | {"reader": "none", "sum_axis": None})
    for name in MATTERS:
        assert not is_same(mine, mine | {name: "other"})
        assert differences(mine, mine | {name: "other"}).startswith(f"{name} ")
    text = normalization.regions.read_text()
    other = tmp_path / "regions.txt"
    other.write_text("# another name, other comments\n" + text)
    assert is_same(mine, normalization.replace(regions=other).as_json())
    other.write_text("\n".join(text.splitlines()[:-1]))
    assert not is_same(mine, normalization.replace(regions=other).as_json())


@pytest.mark.parametrize("provenance", [{}, {"normalization": 3}, {"normalization": "["}, {"normalization": "[]"}])
def test_provenance_that_does_not_say(provenance: dict[str, object]) -> None:
    assert recorded_normalization(provenance) is None
