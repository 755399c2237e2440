"""A training set that is made from apStar files and a table of labels is as good as a ready one."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from apogee_labels.apogee.tables.cuts import Cuts
from apogee_labels.cannon.io.normalized import read_normalized
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.analysis.normalize import normalize_files
from apogee_labels.pipeline.identities import NormalizationParameters, TrainingParameters
from apogee_labels.pipeline.models.train import train_model
from apogee_labels.pipeline.parameters import TrainingSetParameters
from apogee_labels.pipeline.training_sets.make_training_set import TrainingSetReport, make_training_set
from apogee_labels.pipeline.workspace import Workspace

pytestmark = [
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # sdss_access of a release that it knows by another name
]
NAMES = ("TEFF", "LOGG", "FE_H")
LIMITS = {"TEFF": 25.0, "LOGG": 0.05, "FE_H": 0.02}
"""Root mean square of inferred minus true label: K, dex, dex, as of nights (test_realistic_nights.py)."""
TRAINED, ASKED = 300, 80
"""Stars that are trained on, and stars that the models are asked about."""
MJD = 57829


@dataclass(frozen=True)
class Trial:
    """Labels of the same stars by the model of a made set and by that of a ready one."""

    report: TrainingSetReport
    truth: NDArray[np.float64]
    made: NDArray[np.float64]
    ready: NDArray[np.float64]

    def rms(self, labels: NDArray[np.float64]) -> dict[str, float]:
        """Root mean square of the difference from the truth, by label."""
        return dict(zip(NAMES, np.sqrt(np.mean((labels - self.truth) ** 2, axis=0)).tolist(), strict=True))


@pytest.fixture(scope="module")
def trial(make_nights: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Write the files, make the set, train on it and on a ready one of as many stars, and ask both."""
    folder = tmp_path_factory.mktemp("made")
    settings = Settings(data_dir=folder, release="dr16", apred="r12", training_set=folder / "made.pkl")
    rng = np.random.default_rng(5)
    with Workspace.open(settings) as workspace:
        parameters = NormalizationParameters(regions=settings.continuum_regions)
        stars = [star(make_nights, rng, number, bright=number < TRAINED) for number in range(TRAINED + ASKED)]
        files = [write(make_nights, settings.sas_base_dir, each) for each in stars]
        table = write_table(folder / "allStar.csv", make_nights, stars[:TRAINED])
        report = make_training_set(
            workspace, table, TrainingSetParameters(label_names=NAMES, normalization=parameters, cuts=Cuts())
        )
        make_nights.make_training_set(folder / "ready.pkl", TRAINED, seed=1)
        outcomes = normalize_files(workspace, files[TRAINED:], parameters)
        spectra = [read_normalized(workspace.normalized_path(each.unwrap().normalization_id)) for each in outcomes]
        flux, ivar = (np.concatenate([getattr(each, name) for each in spectra]) for name in ("flux", "ivar"))
        made, ready = (
            CannonModel.read(workspace.model_path(train_model(workspace, path, TrainingParameters(label_names=NAMES))))
            for path in (report.path, folder / "ready.pkl")
        )
        yield Trial(
            report,
            np.array([each.labels[:3] for each in stars[TRAINED:]]),
            *(model.infer(flux, ivar, wavelength=spectra[0].wavelength).labels for model in (made, ready)),
        )


def star(make_nights: ModuleType, rng: np.random.Generator, number: int, *, bright: bool) -> Any:
    """A star with the labels of a real giant: as bright as those of the ready sets, or as a night's good ones."""
    labels = make_nights.giants()[rng.integers(len(make_nights.giants()))] + rng.normal(0, [40, 0.08, 0.04, 0.02])
    labels = np.clip(labels, [3650, -0.3, -2.2, -0.05], [5100, 3.6, 0.35, 0.45])
    h_mag = rng.uniform(7.5, 10.5 if bright else 10.9)
    return make_nights.Star(f"2M{number:08d}+1000000", 10.0, 10.0, labels, float(h_mag), number, 9)


def write(make_nights: ModuleType, root: Path, each: Any) -> Path:
    """Write the apStar file of one visit."""
    plate = make_nights.plates()[0]
    path: Path = make_nights.apstar_path(root, "dr16", each, plate, "apo25m", "r12")
    make_nights.write_apstar(path, each, plate, [make_nights.visit(each, plate, MJD)], "dr16", "apo25m", "r12")
    return path


def write_table(path: Path, make_nights: ModuleType, stars: Sequence[Any]) -> Path:
    """Write a table in the way of allStar, with entries that are not to be trained on."""
    plate = make_nights.plates()[0]
    field = make_nights.field_name(plate["ra"], plate["dec"])
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["APOGEE_ID", "TELESCOPE", "FIELD", "SNR", "STARFLAG", "ASPCAPFLAG", "EXTRATARG", *NAMES])
        for each in stars:
            snr = make_nights.visit(each, plate, MJD)["snr"]
            writer.writerow([each.obj, "apo25m", field, snr, 0, 0, 0, *each.labels[:3]])
            doubled = snr + 50 * (snr >= Cuts().min_snr)
            writer.writerow([each.obj, "apo25m", "other", doubled, 0, 0, 1 << 4, *(each.labels[:3] * 1.2)])
        for flags in ((1, 0, 0), (0, 1 << 23, 0)):
            writer.writerow(["2M99999999+1000000", "apo25m", field, 500, *flags, 4500, 2.5, 0.0])
    return path


def test_it_is_made_of_the_stars_that_pass_the_cuts(trial: Trial) -> None:
    assert trial.report.left_out == {}
    assert trial.report.n_stars == trial.report.plan.steps[-1].left
    assert 0.6 * TRAINED < trial.report.n_stars <= TRAINED


def test_its_model_meets_the_accuracy_of_the_ready_one(trial: Trial) -> None:
    made, ready = trial.rms(trial.made), trial.rms(trial.ready)
    sys.stdout.write(f"made of {trial.report.n_stars} stars: rms {made}; ready: {ready}\n")  # pytest -rP
    assert {name: value for name, value in made.items() if value >= LIMITS[name]} == {}
    assert {name: value for name, value in made.items() if value >= 1.2 * ready[name]} == {}


def test_the_tutorial_s_reader_takes_it(trial: Trial) -> None:
    import pickle

    content = pickle.loads(trial.report.path.read_bytes())
    arrays = {name: content[name] for name in ("wavelength", "flux", "ivar", "labels")}
    assert {array.dtype for array in arrays.values()} == {np.dtype(float)}
    n_stars = trial.report.n_stars
    assert [array.shape for array in arrays.values()] == [(8575,), (n_stars, 8575), (n_stars, 8575), (3, n_stars)]
    assert tuple(content["label_names"]) == NAMES
    assert TrainingSet.read(trial.report.path).provenance["n_stars"] == n_stars
