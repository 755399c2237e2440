"""Where the spectra of a training set's stars are.

Takes a plan; done already for every star whose file is here; makes the others, if that is asked, by fetching, several at a
time.  A star without a file is no error: it is left out of the set, and counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.apogee.fetch_many import FetchOutcome, fetch_many
from include.catalog.records import Stage
from include.errors import BadInputError, Reason
from include.pipeline.fetch import archive_and_keys
from include.pipeline.fetch_night import raise_trouble
from include.pipeline.registration import register_arrivals
from include.pipeline.rejection import record_rejection
from include.pipeline.training_plan import PlannedStar, TrainingPlan

if TYPE_CHECKING:
    from include.apogee.archive import ApStarKeys
    from include.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
SHOWN = 5
"""Stars without a file that the log names."""


@dataclass(frozen=True)
class Place:
    """Where the file of a star is or would be, or why it can be nowhere; ``keys`` are those it can be fetched by."""

    path: Path | None
    keys: ApStarKeys | None = None
    fault: str = ""


def find_spectra(workspace: Workspace, plan: TrainingPlan, *, use_remote: bool = False, parallel: int = 4) -> list[str]:
    """Return the paths of the files that are here, after fetching those that are not, if that is asked.

    Raises
    ------
    OSError
        Some could not be fetched, after all others were tried; the next call finds those here.
    PermissionError
        The server refused some, and there was no other trouble; a person must act.
    """
    places = places_of(workspace, plan)
    if use_remote:
        _fetch(workspace, places, parallel)
    here = [str(place.path) for place in places.values() if place.path is not None and place.path.is_file()]
    absent = [obj for obj, place in places.items() if place.path is None or not place.path.is_file()]
    log.info("%d of %d stars have a file", len(here), len(places))
    for obj in absent[:SHOWN]:
        log.warning("%s is left out: %s", obj, places[obj].fault or f"there is no {places[obj].path}")
    if len(absent) > SHOWN:
        log.warning(
            "and %d more: they are left out%s", len(absent) - SHOWN, "" if use_remote else "; or set use_remote"
        )
    return here


def places_of(workspace: Workspace, plan: TrainingPlan) -> dict[str, Place]:
    """Return where each star's file is or would be, by star.

    The keys in the table tell; where the table lacks one that the release's paths need, such as the field, the index of the
    archive is asked for the star's name.  Of several files the first in the order of their paths is taken.
    """
    places = {star.obj: _place(workspace, plan, star) for star in plan.stars}
    unknown = [obj for obj, place in places.items() if place.path is None]
    for obj, paths in workspace.catalog.paths_of_stars(unknown).items():
        if len(paths) > 1:
            log.info("%s has %d files, and the table does not say which is meant: %s", obj, len(paths), paths[0])
        places[obj] = Place(Path(paths[0]))
    return places


def _place(workspace: Workspace, plan: TrainingPlan, star: PlannedStar) -> Place:
    keys: dict[str, Any] = {"release": plan.release, **star.keys}
    if "release" not in star.keys:
        keys.setdefault("apred", plan.apred)
    healpix = str(keys.pop("healpix", ""))
    if healpix.isdecimal():
        keys["healpix"] = int(healpix)
    try:
        archive, typed = archive_and_keys(workspace, keys)
        return Place(Path(archive.path(typed)), typed)
    except BadInputError as fault:
        return Place(None, fault=fault.message)
    except ValueError as fault:
        return Place(None, fault=f"{fault} The archive's index does not know the star either.")


def _fetch(workspace: Workspace, places: Mapping[str, Place], parallel: int) -> None:
    """Fetch what is not here."""
    wanted = [
        place.keys for place in places.values()
        if place.keys is not None and place.path is not None and not place.path.is_file()
    ]  # fmt: skip
    if not wanted:
        return
    log.info("%d files are not here and are asked for", len(wanted))
    files = fetch_many(workspace.archive(), wanted, remote_base=workspace.settings.remote_base, parallel=parallel)
    for file in files:
        if isinstance(file.error, BadInputError):
            record_rejection(workspace, file.path, Stage.FETCH, file.error)
    register_arrivals(workspace, [file.path for file in files if file.outcome is FetchOutcome.FETCHED])
    raise_trouble(files)


def absent_reason(workspace: Workspace, places: Mapping[str, Place]) -> Counter[str]:
    """Count the stars without a file by what is known of it: asked for and not at the server, or not here."""
    from include.apogee.apstar import READER_VERSION
    from include.catalog.records import subject_of_path

    absent = [place.path for place in places.values() if place.path is None or not place.path.is_file()]
    subjects = {subject_of_path(str(path)): path for path in absent if path is not None}
    rejected = workspace.catalog.rejections(subjects, READER_VERSION)
    reasons = [
        rejected[subject].reason if subject in rejected else Reason.MISSING
        for subject in (subject_of_path(str(path)) if path is not None else "" for path in absent)
    ]
    return Counter(str(reason) for reason in reasons)
