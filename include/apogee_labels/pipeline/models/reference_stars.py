"""A fixed set of stars on which each new model is held against the model in force.

Takes the results of the model in force; done already when the line of models has its stars; makes the choice, once, or
takes the stars that a file names.  Their labels by both models are results like any other, made once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from apogee_labels.catalog.queries.models import ReferenceStar
from apogee_labels.catalog.records import ResultRecord, utc_now
from apogee_labels.core.errors import BadInputError
from apogee_labels.core.identity import digest_of, short
from apogee_labels.pipeline.analysis.infer import NotNormalizedError, infer_files
from apogee_labels.pipeline.analysis.rebuild import CannotRebuildError
from apogee_labels.pipeline.identities import InferenceParameters, ResultIdentities
from apogee_labels.pipeline.models.model_numbers import Comparison, shift_of

if TYPE_CHECKING:
    from pathlib import Path

    from apogee_labels.core.arrays import Floats
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

LEAST, MOST = 20, 200
"""Reference stars of a line of models: below the least there are none yet."""
GOOD_SNR = 70.0
"""S/N a pixel from which on a star may be one."""
RANGE = (1.0, 99.0)
"""Percentiles of a label between which stars are spread; those beyond count to the outermost cells."""
GONE = (CannotRebuildError, NotNormalizedError)
"""What is said of a spectrum that is nowhere any more, beside BadInputError."""


def reference_stars(workspace: Workspace) -> list[ReferenceStar]:
    """Return the reference stars of the installation's line of models, chosen now if it has none.

    Raises
    ------
    ValueError
        The file that the setting ``reference_stars`` names cannot be used.
    OSError
        It cannot be read now, or the catalogue cannot.
    """
    name, chosen_by = workspace.settings.model_name, workspace.settings.reference_stars
    with workspace.lock(f"reference-stars-{name}"):
        known = workspace.catalog.reference_stars.find(name)
        if chosen_by is not None:
            return _named(workspace, _names_in(chosen_by), known)
        if known:
            return known
        workspace.catalog.reference_stars.record(_chosen(workspace, name))
        return workspace.catalog.reference_stars.find(name)


def compare_models(workspace: Workspace, new: str, old: str) -> Comparison | None:
    """Return how labels of the reference stars differ between two models; None: there are no such stars yet.

    Raises
    ------
    OSError
        Trouble with the disk or the database that may pass; try again.
    """
    stars = reference_stars(workspace)
    if not stars:
        return None
    try:
        ours, theirs = (_results(workspace, stars, model) for model in (new, old))
    except BadInputError as fault:  # a model that cannot be used: a person must look, and the report says why
        return _nothing(len(stars), fault.message)
    return _comparison(len(stars), ours, theirs)


def spread_evenly(labels: Floats, names: Sequence[str], most: int) -> list[int]:
    """Return which of N stars cover the labels evenly, at most so many, the same whatever their order.

    The range of the labels is cut into as many cells as stars are wanted, the same number along each label; each cell in
    turn gives a star, then each a second one, and so on.

    Parameters
    ----------
    labels
        Shape (N, L), finite.
    names
        What each star is known by, N texts that differ: who comes first in a cell.
    most
        Number of stars that are wanted.
    """
    import numpy as np

    from apogee_labels.apogee.tables.label_cuts import cells_of, in_turns

    cells = cells_of(labels, max(int(most ** (1.0 / labels.shape[1])), 1), RANGE)
    # Which cells come first when not all get another star: by a digest, not from one corner.
    _, rank_of_cell = np.unique([digest_of(cell=cell) for cell in cells.tolist()], return_inverse=True)
    return sorted(in_turns(cells, np.argsort(np.argsort(names)), rank_of_cell)[:most].tolist())


def _chosen(workspace: Workspace, name: str) -> list[ReferenceStar]:
    """Stars of the archive with good labels by the model in force."""
    import numpy as np

    from apogee_labels.cannon.flags import ResultFlag

    model = workspace.catalog.models.in_force(name)
    if model is None:
        return []
    identities = ResultIdentities.nightly(workspace.settings.continuum_regions)
    objs, normalizations, labels = [], [], []
    for part in workspace.catalog.label_tables.parts(model.id, expected=identities):
        values = np.stack([np.asarray(part[label.lower()], dtype=float) for label in model.label_names], axis=-1)
        good = np.isfinite(values).all(axis=1) & (np.asarray(part["snr"]) >= GOOD_SNR)
        good &= (np.asarray(part["result_flags"]) & ~int(ResultFlag.FEW_TRAINING_STARS)) == 0
        labels.append(values[good])
        objs += [str(obj) for obj in part["obj"][good]]
        normalizations += [str(identity) for identity in part["normalization"][good]]
    if len(objs) < LEAST:
        log.info(
            "%d star(s) could be reference stars of %s: fewer than %d, so there are none yet", len(objs), name, LEAST
        )
        return []
    chosen = spread_evenly(np.concatenate(labels), normalizations, MOST)
    log.info("%d of %d star(s) are the reference stars of %s from now on", len(chosen), len(objs), name)
    now = utc_now()
    return [
        ReferenceStar(name=name, normalization_id=normalizations[star], obj=objs[star], chosen_at=now)
        for star in chosen
    ]


def _names_in(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as fault:
        raise ValueError(
            f"APOGEE_LABELS_REFERENCE_STARS: expected a text file with the name of a star a line, got {path}: {fault}."
        ) from fault
    return list(dict.fromkeys(name for line in lines if (name := line.partition("#")[0].strip())))


def _named(workspace: Workspace, objs: Iterable[str], known: Sequence[ReferenceStar]) -> list[ReferenceStar]:
    """The stars that a file names, each by the spectrum that was there when it was first looked for."""
    wanted = list(objs)
    name, normal = workspace.settings.model_name, ResultIdentities.nightly(workspace.settings.continuum_regions)
    stars = {star.obj: star for star in known if star.obj in set(wanted)}
    made = workspace.catalog.normalizations.newest_of_stars(obj for obj in wanted if obj not in stars)
    now, new = utc_now(), []
    for obj, records in made.items():
        usable = [record for record in records if record.parameters == normal.normalization]
        if usable:
            new.append(ReferenceStar(name=name, normalization_id=usable[0].id, obj=obj, chosen_at=now))
    workspace.catalog.reference_stars.record(new)
    stars |= {star.obj: star for star in new}
    if missing := [obj for obj in wanted if obj not in stars]:
        log.warning("%d reference star(s) have no spectrum yet: %s ...", len(missing), ", ".join(missing[:5]))
    return sorted(stars.values(), key=lambda star: star.obj)


class _Found(NamedTuple):
    """Labels of a star by a model, and what is said of them."""

    values: dict[str, float]
    errors: dict[str, float]
    counts: bool
    outside: bool


def _results(workspace: Workspace, stars: Sequence[ReferenceStar], model: str) -> dict[str, _Found]:
    """Labels by a model, by normalisation; a star whose spectrum is nowhere is left out."""
    outcomes = infer_files(workspace, [star.normalization_id for star in stars], model, InferenceParameters())
    found = {}
    for outcome in outcomes:
        if isinstance(outcome.fault, (BadInputError, *GONE)):
            log.warning("reference star %s is left out: %s", short(outcome.subject), outcome.fault)
        elif (result := workspace.catalog.results.get(outcome.unwrap().result_id)) is not None:
            found[outcome.subject] = _of_result(result)
    return found


def _of_result(result: ResultRecord) -> _Found:
    import math

    from apogee_labels.cannon.flags import ResultFlag

    row = result.rows[0]
    values = {label.name: label.value for label in row.labels}
    nothing = 0xFF | int(ResultFlag.HIGH_CHI_SQUARE | ResultFlag.UNLIKE_TRAINING_SET)
    return _Found(
        values=values,
        errors={label.name: label.error for label in row.labels},
        counts=not row.flags & nothing and all(map(math.isfinite, values.values())),
        outside=bool(row.flags & int(ResultFlag.OUTSIDE_TRAINING)),
    )


def _comparison(n_stars: int, ours: dict[str, _Found], theirs: dict[str, _Found]) -> Comparison:
    import numpy as np

    both = sorted(ours.keys() & theirs.keys())
    good = [star for star in both if ours[star].counts and theirs[star].counts]
    names = [name for name in ours[good[0]].values if name in theirs[good[0]].values] if good else []

    def column(found: dict[str, _Found], part: str, name: str) -> Floats:
        return np.array([getattr(found[star], part)[name] for star in good])

    return Comparison(
        n_stars=n_stars,
        n_compared=len(good),
        n_left_out=n_stars - len(both),
        n_failed=sum(theirs[star].counts and not ours[star].counts for star in both),
        n_failed_before=sum(ours[star].counts and not theirs[star].counts for star in both),
        n_outside=sum(ours[star].outside and not theirs[star].outside for star in good),
        shifts={
            name: shift_of(column(ours, "values", name), column(theirs, "values", name), column(theirs, "errors", name))
            for name in names
        },
    )


def _nothing(n_stars: int, fault: str) -> Comparison:
    return Comparison(
        n_stars=n_stars,
        n_compared=0,
        n_left_out=n_stars,
        n_failed=0,
        n_failed_before=0,
        n_outside=0,
        shifts={},
        fault=fault,
    )
