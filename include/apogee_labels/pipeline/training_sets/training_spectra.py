"""Where the spectra of a training set's stars are.

Takes a plan; done already for every star whose file is here; makes the others, if that is asked, by fetching, several at a
time.  A star without a file is no error: it is left out of the set, and counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from apogee_labels.core.errors import Reason
from apogee_labels.pipeline.ingest.fetch_missing import fetch_missing
from apogee_labels.pipeline.stars.star_places import Place, places_of
from apogee_labels.pipeline.training_sets.training_plan import TrainingPlan

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
SHOWN = 5
"""Stars without a file that the log names."""


def find_spectra(workspace: Workspace, plan: TrainingPlan, *, use_remote: bool = False, parallel: int = 4) -> list[str]:
    """Return the paths of the files that are here, after fetching those that are not, if that is asked.

    Raises
    ------
    OSError
        Some could not be fetched, after all others were tried; the next call finds those here.
    PermissionError
        The server refused some, and there was no other trouble; a person must act.
    """
    places = places_by_star(workspace, plan)
    if use_remote:
        wanted = [place.keys for place in places.values() if place.keys is not None and not place.is_here]
        log.info("%d files are not here and are asked for", len(wanted))
        fetch_missing(workspace, wanted, parallel=parallel)
    here = [str(place.path) for place in places.values() if place.is_here]
    absent = [obj for obj, place in places.items() if not place.is_here]
    log.info("%d of %d stars have a file", len(here), len(places))
    for obj in absent[:SHOWN]:
        log.warning("%s is left out: %s", obj, places[obj].fault or f"there is no {places[obj].path}")
    if len(absent) > SHOWN:
        log.warning(
            "and %d more: they are left out%s", len(absent) - SHOWN, "" if use_remote else "; or set use_remote"
        )
    return here


def places_by_star(workspace: Workspace, plan: TrainingPlan) -> dict[str, Place]:
    """Return where the file of each star of a plan is or would be, by the star's name."""
    places = places_of(workspace, [star.keys for star in plan.stars])
    return {star.obj: place for star, place in zip(plan.stars, places, strict=True)}


def absent_reason(workspace: Workspace, places: Mapping[str, Place]) -> Counter[str]:
    """Count the stars without a file by what is known of it: asked for and not at the server, or not here."""
    from apogee_labels.apogee.spectra.apstar import READER_VERSION
    from apogee_labels.catalog.records import subject_of_path

    absent = [place.path for place in places.values() if not place.is_here]
    subjects = {subject_of_path(str(path)): path for path in absent if path is not None}
    rejected = workspace.catalog.rejections.find(subjects, READER_VERSION)
    reasons = [
        rejected[subject].reason if subject in rejected else Reason.MISSING
        for subject in (subject_of_path(str(path)) if path is not None else "" for path in absent)
    ]
    return Counter(str(reason) for reason in reasons)
