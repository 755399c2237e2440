"""Which files a night should have: what is known of it, whether it is here or not.

Takes a telescope and an SDSS MJD; two sources tell: the catalogue (contents that were once here and whose path is gone), and
the visit summary that the setting APOGEE_LABELS_VISIT_SUMMARY names, if it does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.archive.releases import release_layout

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExpectedFiles:
    """The files that a night should have, by path.

    Parameters
    ----------
    files
        Where each is or would be, with its keys.
    from_summary
        Whether a visit summary was asked: without one only what was here before is known.
    """

    files: dict[Path, ApStarKeys]
    from_summary: bool

    @cached_property
    def missing(self) -> dict[Path, ApStarKeys]:
        """Those that are not here, as of the first look at this property."""
        return {path: keys for path, keys in self.files.items() if not path.exists()}

    @property
    def here(self) -> list[Path]:
        """Those that are here."""
        return [path for path in self.files if path not in self.missing]


def expected_files(workspace: Workspace, telescope: str, mjd: int) -> ExpectedFiles:
    """Return the files of the installation's own release and reduction that a night should have.

    Raises
    ------
    apogee_labels.apogee.tables.visit_summary.VisitSummaryError
        The visit summary lacks a column; the message says which.
    OSError
        The visit summary is not there, or cannot be read.
    """
    archive = workspace.archive()
    summary = workspace.settings.visit_summary
    keys = [*_of_catalogue(workspace, archive, telescope, mjd)]
    if summary is not None:
        keys += _of_summary(summary, archive, telescope, mjd)
    files = {archive.path(each): each for each in keys}
    return ExpectedFiles({path: files[path] for path in sorted(files)}, summary is not None)


def _of_catalogue(workspace: Workspace, archive: Archive, telescope: str, mjd: int) -> Iterator[ApStarKeys]:
    """Give the keys of the paths on record, of this release and reduction, below this archive."""
    for path in workspace.catalog.archive.paths_of_night(telescope, mjd):
        try:
            keys = archive.keys(path)
        except ValueError:
            continue  # it was read from elsewhere: no server has it
        of_reduction = release_layout(keys.release) == archive.layout and keys.apred == archive.apred
        if of_reduction and keys.telescope == telescope:
            yield keys


def _of_summary(summary: Path, archive: Archive, telescope: str, mjd: int) -> Iterator[ApStarKeys]:
    from apogee_labels.apogee.tables.visit_summary import stars_of_night

    started = time.perf_counter()
    stars = stars_of_night(summary, telescope, mjd, by_healpix=archive.layout.by_healpix)
    log.info("%s, MJD %d: %d stars in %s (%.1f s)", telescope, mjd, len(stars), summary, time.perf_counter() - started)
    for star in stars:
        try:
            yield ApStarKeys(
                release=archive.release, apred=archive.apred, telescope=telescope,
                obj=star.obj, field=star.field, healpix=star.healpix,
            )  # fmt: skip
        except ValueError as fault:
            log.warning("%s: a star that can have no file is passed over: %s", summary, fault)
