"""Where the spectra of a training set's stars are, and those that are normalised, one below the other.

Takes a plan; done already for every star whose file is here; makes the others, if that is asked, by fetching, several at a
time.  A star without a file is no error: it is left out of the set, and counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.apogee.spectra.masks import UNFIT_STAR
from apogee_labels.catalog.records import FileStatus, NormalizationRecord
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_file
from apogee_labels.core.progress import with_progress
from apogee_labels.pipeline.analysis.rebuild import read_or_rebuild
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.ingest.fetch_missing import fetch_missing
from apogee_labels.pipeline.stars.star_places import Place, places_of
from apogee_labels.pipeline.training_sets.training_plan import PlannedStar, TrainingPlan

if TYPE_CHECKING:
    from apogee_labels.cannon.io.normalized import NormalizedSpectrum
    from apogee_labels.catalog.queries.contents import KnownContent
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


class UnfinishedSpectraError(LookupError):
    """Files of the set are here and neither normalised nor rejected: their task failed, and is to be run again."""


class _Found(NamedTuple):
    """A star of the plan whose spectrum is normalised, and the record of the product."""

    star: PlannedStar
    record: NormalizationRecord


class GatheredSpectra(NamedTuple):
    """The spectra of a set, a row a star: flux and inverse variance (N, P); and why others are not in it."""

    stars: list[PlannedStar]
    contents: list[str]
    wavelength: Any
    flux: Any
    ivar: Any
    left_out: Counter[str]


def gather_spectra(workspace: Workspace, plan: TrainingPlan) -> GatheredSpectra:
    """Read the spectra of a plan's stars, in its order.

    Raises
    ------
    UnfinishedSpectraError
        Files are neither normalised nor rejected.
    OSError
        A product cannot be read.
    """
    import numpy as np

    from apogee_labels.apogee.spectra.grid import WAVELENGTH

    found, left_out = _products(workspace, plan)
    flux = np.empty((len(found), len(WAVELENGTH)))
    ivar = np.empty_like(flux)
    stars: list[PlannedStar] = []
    contents: list[str] = []
    for each in with_progress(found, len(found), "spectra that are read", log):
        try:
            spectrum = read_or_rebuild(workspace, each.record)
        except BadInputError as fault:
            left_out[str(fault.reason)] += 1
            continue
        if reason := _unfit(plan, spectrum):
            left_out[reason] += 1
            continue
        flux[len(stars)], ivar[len(stars)] = spectrum.flux[0], spectrum.ivar[0]
        stars.append(each.star)
        contents.append(each.record.digest)
    return GatheredSpectra(stars, contents, WAVELENGTH, flux[: len(stars)], ivar[: len(stars)], left_out)


def _products(workspace: Workspace, plan: TrainingPlan) -> tuple[list[_Found], Counter[str]]:
    """Return the stars that have a normalised spectrum, in the plan's order, and count the others by reason.

    Raises
    ------
    UnfinishedSpectraError
        Some have a file, and neither a normalised spectrum nor a rejection.
    """
    places = places_by_star(workspace, plan)
    left_out = absent_reason(workspace, places)
    here = {
        star.obj: str(path) for star in plan.stars if (path := places[star.obj].path) is not None and path.is_file()
    }
    indexed = {
        path: entry.digest for path, entry in workspace.catalog.archive.indexed(here.values()).items() if entry.digest
    }
    known = _known(workspace, plan.normalization, indexed)
    # A file that the index knows by another content, or not at all, is looked at itself.
    others = {path: digest_file(path) for path in here.values() if path not in known}
    known |= _known(workspace, plan.normalization, others)
    unfinished = [obj for obj, path in here.items() if path not in known]
    if unfinished:
        raise UnfinishedSpectraError(
            f"{len(unfinished)} of {len(plan.stars)} stars have a file that is neither normalised nor rejected, first "
            f"{unfinished[0]}: run the tasks that normalise them again."
        )
    left_out.update(str(fault.reason) for path in here.values() if (fault := known[path].rejection))
    records = {obj: record for obj, path in here.items() if (record := known[path].normalization)}
    return [_Found(star, records[star.obj]) for star in plan.stars if star.obj in records], left_out


def _known(workspace: Workspace, parameters: dict[str, Any], contents: Mapping[str, str]) -> dict[str, KnownContent]:
    """Return what is known of the contents (digests) of some paths, by path; left out is what is still due."""
    identities = ResultIdentities(parameters, {})
    known = workspace.catalog.contents.known(contents.values(), identities, None, READER_VERSION)
    return {path: known[each] for path, each in contents.items() if known[each].status is not FileStatus.DUE}


def _unfit(plan: TrainingPlan, spectrum: NormalizedSpectrum) -> str:
    """Say which cut a star fails by its file, where the table of labels has no such column."""
    if "snr" in plan.from_files and plan.cuts.min_snr > 0 and not spectrum.snr >= plan.cuts.min_snr:
        return "low S/N in the file"
    if "starflag" in plan.from_files and plan.cuts.starflag != "off":
        bits = int(UNFIT_STAR) if plan.cuts.starflag == "bad" else -1
        if int(spectrum.starflag) & bits:
            return "STARFLAG in the file"
    return ""
