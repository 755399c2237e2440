"""The continuum regions that products were made with, kept so that these can be made again.

An identity knows the regions by their numbers alone; a file of them that somebody edits, or moves, must not make every
product unrepeatable.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.core.files import atomic_write
from apogee_labels.core.settings import SHIPPED_REGIONS

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace


def store_regions(workspace: Workspace, path: Path, digest: str) -> None:
    """Keep a copy of a regions file under the digest of its numbers, unless there is one."""
    kept = _kept(workspace, digest)
    if not kept.exists():
        with atomic_write(kept) as temporary:
            temporary.write_bytes(path.read_bytes())


def find_regions(workspace: Workspace, digest: str) -> Path | None:
    """Return a file of the regions with that digest: the kept copy, the installation's or the shipped list."""
    from apogee_labels.cannon.continuum.normalization import regions_digest

    for path in (_kept(workspace, digest), workspace.settings.continuum_regions, SHIPPED_REGIONS):
        try:
            if regions_digest(path) == digest:
                return path
        except (OSError, ValueError):
            continue  # not there, or edited beyond reading: the next may do
    return None


def _kept(workspace: Workspace, digest: str) -> Path:
    return workspace.settings.data_dir / "regions" / f"{digest}.txt"
