"""Where the files of many stars are, by their keys or, where these do not tell, by the index of the archive."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.ingest.fetch import archive_and_keys

if TYPE_CHECKING:
    from apogee_labels.apogee.archive.archive import ApStarKeys
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file of a star is or would be, or why it can be nowhere; ``keys`` are those it can be fetched by."""

    path: Path | None
    keys: ApStarKeys | None = None
    fault: str = ""

    @property
    def is_here(self) -> bool:
        """Whether there is a file."""
        return self.path is not None and self.path.is_file()


def places_of(workspace: Workspace, stars: Sequence[Mapping[str, str]]) -> list[Place]:
    """Return where each star's file is or would be.

    Where a key is missing that the release's paths need, such as the field, the index of the archive is asked for the star's
    name.  Of several files the first in the order of their paths is taken.

    Parameters
    ----------
    workspace
        The installation, whose release counts where the keys do not say.
    stars
        The keys of each star as texts, ``obj`` at least (:data:`apogee_labels.pipeline.ingest.fetch.KEYS`).
    """
    places = [_place(workspace, star) for star in stars]
    unknown = {star["obj"] for star, place in zip(stars, places, strict=True) if place.path is None}
    indexed = workspace.catalog.archive.paths_of_stars(unknown)
    if several := [obj for obj, paths in indexed.items() if len(paths) > 1]:
        log.info(
            "%d stars have several files, and their keys do not say which is meant: %s, ...", len(several), several[0]
        )
    return [
        Place(Path(indexed[star["obj"]][0])) if place.path is None and star["obj"] in indexed else place
        for star, place in zip(stars, places, strict=True)
    ]


def _place(workspace: Workspace, star: Mapping[str, str]) -> Place:
    keys: dict[str, Any] = {key: value for key, value in star.items() if key != "healpix"}
    if star.get("healpix", "").isdecimal():
        keys["healpix"] = int(star["healpix"])
    try:
        archive, typed = archive_and_keys(workspace, keys)
        return Place(Path(archive.path(typed)), typed)
    except BadInputError as fault:
        return Place(None, fault=fault.message)
    except ValueError as fault:
        return Place(None, fault=f"{fault} The index of the archive does not know the star either.")
