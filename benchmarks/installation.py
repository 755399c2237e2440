"""An installation of a benchmark's own: an archive, a model and an empty catalogue that has scanned the archive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from apogee_labels.apogee.archive.nights import OBSERVATORIES
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, TrainingParameters
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.models.train import train_model
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from benchmarks.clock import say

TRAINING_STARS = 400


class Installation(NamedTuple):
    """Where a benchmark works: what a night's run finds when its files have been listed."""

    settings: Settings
    paths: list[str]
    model_id: str

    @property
    def normalization(self) -> NormalizationParameters:
        """The parameters of the nightly DAGs."""
        return NormalizationParameters(regions=self.settings.continuum_regions)

    @property
    def inference(self) -> InferenceParameters:
        """The parameters of the nightly DAGs."""
        return InferenceParameters()

    @contextmanager
    def copy(self, name: str) -> Iterator[Installation]:
        """Return the installation as it was before any work was done on it, for the time of a measurement."""
        folder = self.settings.data_dir.with_name(name)
        shutil.copytree(self.settings.data_dir, folder)
        settings = Settings(data_dir=folder, sas_base_dir=self.settings.sas_base_dir)
        try:
            yield Installation(settings, self.paths, self.model_id)
        finally:
            shutil.rmtree(folder)


def make_installation(folder: Path, archive: Path | None, n_files: int) -> Installation:
    """Make an installation below a folder, over an archive (a SAS_BASE_DIR) or over synthetic stars.

    Raises
    ------
    SystemExit
        There are no apStar files in the archive.
    """
    settings = Settings(data_dir=folder / "data", sas_base_dir=archive or folder / "sas")
    if archive is None:
        say(f"  {n_files} synthetic apStar files")
        SyntheticSurvey(settings.sas_base_dir, n_stars=n_files, nights=3).observe_all()
    found = (path for pattern in ("apStar-*.fits", "asStar-*.fits") for path in settings.sas_base_dir.rglob(pattern))
    paths = sorted(map(str, found))[:n_files]
    if not paths:
        raise SystemExit(f"no apStar-*.fits or asStar-*.fits below {archive}: give a SAS_BASE_DIR.")
    say("  a model")
    training_set = folder / "training_set.pkl"
    SyntheticSurvey(folder / "unused", n_stars=1, nights=1).write_training_set(training_set, TRAINING_STARS)
    with Workspace.open(settings) as workspace:
        model_id = train_model(workspace, training_set, TrainingParameters(label_names=settings.label_names))
        for telescope in OBSERVATORIES:
            scan_archive(workspace, telescope)
    return Installation(settings, paths, model_id)
