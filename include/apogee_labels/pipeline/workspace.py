"""Where an installation keeps things: one object that every step takes first."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.catalog import Catalog
from apogee_labels.core.identity import short
from apogee_labels.core.settings import Settings

if TYPE_CHECKING:
    from apogee_labels.apogee.archive.archive import Archive


@dataclass(frozen=True)
class Workspace:
    """The settings, the open catalogue and the paths of products.

    Use it as ``with Workspace.open() as workspace``: the catalogue's connections are closed at the end.
    """

    settings: Settings
    catalog: Catalog

    @classmethod
    @contextmanager
    def open(cls, settings: Settings | None = None) -> Iterator[Workspace]:
        """Open the catalogue that the settings (default: the environment's) name.

        Raises
        ------
        sqlalchemy.exc.OperationalError
            The database cannot be reached; try again.
        """
        settings = settings or Settings()
        with Catalog.open(settings.catalog_url) as catalog:
            yield cls(settings, catalog)

    def archive(self, release: str | None = None, apred: str | None = None) -> Archive:
        """Return the local archive of a release (default: the installation's own)."""
        from apogee_labels.apogee.archive.archive import Archive

        release = release or self.settings.release
        return Archive(self.settings.sas_base_dir, release, apred or self._apred_of(release))

    def normalized_path(self, normalization_id: str) -> Path:
        """Where a normalised spectrum is kept; two letters of folder keep directories short at a million files."""
        return self.settings.data_dir / "normalized" / normalization_id[:2] / f"{normalization_id}.fits"

    def model_path(self, model_id: str) -> Path:
        """Where a model is kept."""
        return self.settings.data_dir / "models" / f"{model_id}.fits"

    def report_path(self, model_id: str, kind: str = "json") -> Path:
        """Where the report on a model is kept, beside it: its numbers (``json``) or its page (``html``)."""
        return self.settings.data_dir / "models" / f"{model_id}.report.{kind}"

    def training_plan_path(self, identity: str) -> Path:
        """Where the plan of a training set is kept: its stars, and how they were chosen."""
        return self.settings.data_dir / "training_plans" / f"{identity}.json"

    def night_path(self, telescope: str, mjd: int, *, visits: bool = False) -> Path:
        """Where the table of a night is kept: a row a star, or a row a visit."""
        kind = "apogeeNightVisits" if visits else "apogeeNight"
        return self.settings.data_dir / "nights" / telescope / f"{kind}-{telescope}-{mjd}.fits"

    def summary_path(self, model_id: str, *, visits: bool = False) -> Path:
        """Where the table of all stars, or of all visits, by a model is kept.

        The name is in the way of Astra's ``astraAllStar<Pipeline>-<version>.fits``.  The version of labels by The Cannon is
        their model, so the tables of two models lie side by side.
        """
        kind = "apogeeAllVisitTheCannon" if visits else "apogeeAllStarTheCannon"
        return self.settings.data_dir / "summary" / f"{kind}-{short(model_id)}.fits"

    @contextmanager
    def lock(self, name: str) -> Iterator[Path]:
        """Hold a lock by name among all processes that share the data folder; yields its file, which may keep a note.

        The kernel lets go of it when the holder dies, so that nothing has to be cleaned up after a crash.
        """
        path = self.settings.data_dir / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield path

    def _apred_of(self, release: str) -> str:
        if release == self.settings.release:
            return self.settings.apred
        from apogee_labels.core.settings import REDUCTION_OF_RELEASE

        return REDUCTION_OF_RELEASE.get(release, release)
