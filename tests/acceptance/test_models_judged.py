"""Training sets of realistic giants: another one as good comes into force by itself, a spoilt one is asked about."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_files
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, TrainingParameters
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.models.judgement import Tolerances
from apogee_labels.pipeline.models.model_report import ModelReport, validate_model
from apogee_labels.pipeline.models.train import train_model
from apogee_labels.pipeline.workspace import Workspace
from tests.acceptance.conftest import installed

pytestmark = [pytest.mark.airflow, pytest.mark.shared, pytest.mark.slow, pytest.mark.filterwarnings("default")]
MJD = 57829
STARS = 300
"""Of a training set here; the one in force has 800."""


@pytest.fixture(scope="module")
def workspace(trained: Path, make_nights: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """An installation with the model of 800 stars in force, and labels by it of a night's stars."""
    data_dir = tmp_path_factory.mktemp("judged") / "data"
    shutil.copytree(trained, data_dir)
    with installed(data_dir) as settings, Workspace.open(settings) as workspace:
        paths = make_nights.make_night(settings.sas_base_dir, MJD, 12, 1, "dr17")
        for telescope in ("apo25m", "lco25m"):
            scan_archive(workspace, telescope)
        made = normalize_files(workspace, paths, NormalizationParameters(regions=settings.continuum_regions))
        model = workspace.catalog.models.in_force(settings.model_name)
        assert model is not None
        infer_labels(workspace, [each.unwrap().normalization_id for each in made], model.id, InferenceParameters())
        yield workspace


def judged(workspace: Workspace, path: Path, names: tuple[str, ...]) -> ModelReport:
    """Train on a set of these labels, and judge the model."""
    identity = train_model(workspace, path, TrainingParameters(label_names=names))
    return validate_model(workspace, identity, Tolerances())


@pytest.mark.parametrize("n_labels", [3, 4])
def test_other_stars_of_the_same_survey_make_a_model_that_is_no_worse(
    workspace: Workspace, make_nights: ModuleType, tmp_path: Path, n_labels: int
) -> None:
    names = make_nights.LABELS[:n_labels]
    make_nights.make_training_set(tmp_path / "set.pkl", STARS, 5, names)
    report = judged(workspace, tmp_path / "set.pkl", names)
    assert report.accepted, report.reasons
    reference = report.content["reference"]
    assert reference["n_compared"] > 0.95 * reference["n_stars"] >= 19
    assert set(reference["shifts"]) == {"TEFF", "LOGG", "FE_H"}, "what both models have"


def test_labels_that_are_60_k_off_are_asked_about(
    workspace: Workspace, realistic_training_set: Path, tmp_path: Path
) -> None:
    """Stars held back cannot tell: the labels agree with each other.  Reference stars do."""
    content = pickle.loads(realistic_training_set.read_bytes())
    few = {key: np.asarray(content[key])[:STARS] for key in ("flux", "ivar")}
    labels = np.asarray(content["labels"])[:, :STARS] + np.array([[60.0], [0.0], [0.0]])
    (tmp_path / "off.pkl").write_bytes(pickle.dumps(content | few | {"labels": labels}))
    report = judged(workspace, tmp_path / "off.pkl", ("TEFF", "LOGG", "FE_H"))
    assert not report.accepted
    assert any("reference stars move by" in reason and reason.startswith("TEFF") for reason in report.reasons)
    assert report.content["reference"]["shifts"]["TEFF"]["mean"] == pytest.approx(60.0, abs=3.0)
