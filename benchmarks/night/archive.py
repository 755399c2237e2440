"""An installation with one synthetic night and a trained model in force, which can be made new after each run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.models.acceptance import accept_model
from apogee_labels.pipeline.models.train import train_model
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import FIRST_MJD, SyntheticSurvey
from benchmarks.clock import say

TELESCOPE = "apo25m"
MJD = FIRST_MJD + 2
"""The third night: its stars have one to three visits."""
_SEEN = 0.6  # of a telescope's stars, on the third night; two thirds in the mean
_TRAINING_STARS = 400


@dataclass(frozen=True)
class Night:
    """A data folder whose archive holds the files of one night and no others.

    Parameters
    ----------
    folder
        The data folder: archive, products, catalogue.
    files
        The night's apStar files.
    """

    folder: Path
    files: tuple[Path, ...]

    @property
    def megabytes(self) -> float:
        """Size of a file in the mean, 10^6 bytes."""
        return sum(path.stat().st_size for path in self.files) / len(self.files) / 1e6

    def forget(self, *, listed: bool = False) -> None:
        """Remove every product, and take the catalogue back to where it knows the model, and the files if `listed`."""
        for name in ("normalized", "nights", "locks"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for path in self.folder.glob("catalog.db*"):
            path.unlink()
        shutil.copyfile(self.folder / ("listed.db" if listed else "pristine.db"), self.folder / "catalog.db")


def make_night(folder: Path, n_files: int) -> Night:
    """Make an archive with so many files of one night (DR17), train a model and put it in force."""
    say(f"a night of {n_files} files, and a model")
    settings = Settings(data_dir=folder)
    survey = SyntheticSurvey(settings.sas_base_dir, n_stars=2 * round(n_files / _SEEN + 10), nights=3)
    files = survey.observe(TELESCOPE, MJD)
    for path in files[n_files:]:
        path.unlink()
    if len(files) < n_files:
        raise AssertionError(f"{n_files} stars were to be seen on MJD {MJD}, got {len(files)}")
    survey.write_training_set(settings.training_set, _TRAINING_STARS)
    with Workspace.open(settings) as workspace:
        parameters = TrainingParameters(label_names=settings.label_names)
        accept_model(workspace, train_model(workspace, settings.training_set, parameters), "benchmark")
        _keep(folder, "pristine.db")
        scan_archive(workspace, TELESCOPE)
        _keep(folder, "listed.db")
    return Night(folder, tuple(files[:n_files]))


def _keep(folder: Path, name: str) -> None:
    """Keep a copy of the catalogue, without the write-ahead log of its last writer."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / "catalog.db")) as source, closing(sqlite3.connect(folder / name)) as copy:
        source.backup(copy)
