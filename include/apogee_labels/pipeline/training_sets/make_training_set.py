"""A table of labels and the archive become a training set.

Takes the plan of a set (:mod:`apogee_labels.pipeline.training_sets.training_plan`) whose files were normalised; done
already when the file that
it would write is there; makes the training set in the tutorial's format and as .npz, both with their provenance.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apogee_labels.catalog.db.rows import chunks
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.files import write_if_changed
from apogee_labels.core.identity import digest_file, digest_of, short
from apogee_labels.pipeline.analysis.normalize import normalize_files
from apogee_labels.pipeline.parameters import TrainingSetParameters
from apogee_labels.pipeline.training_sets.training_plan import (
    METHOD_VERSION,
    TrainingPlan,
    plan_training_set,
    read_plan,
)
from apogee_labels.pipeline.training_sets.training_spectra import GatheredSpectra, find_spectra, gather_spectra

if TYPE_CHECKING:
    from apogee_labels.cannon.training_set import TrainingSet
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

NORMALIZED_TOGETHER = 64


@dataclass(frozen=True, kw_only=True)
class TrainingSetReport:
    """What was written, and what became of the stars."""

    path: Path
    digest: str
    """Of the file at ``path``, as the sensor of the training takes it."""
    is_new: bool
    n_stars: int
    left_out: Mapping[str, int]
    """Stars that were chosen and are not in the set, by reason."""
    n_closed: int
    """Pixels with weight in some stars, but in too few."""
    plan: TrainingPlan

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "path": str(self.path),
            "digest": self.digest,
            "is_new": self.is_new,
            "stars": self.n_stars,
            "left_out": dict(self.left_out),
            "closed_pixels": self.n_closed,
            "labels": list(self.plan.label_names),
            "cuts": [step._asdict() for step in self.plan.steps],
            "label_table": self.plan.table_digest,
        }


def make_training_set(
    workspace: Workspace,
    table: str | Path,
    parameters: TrainingSetParameters,
    output: str | Path | None = None,
    *,
    use_remote: bool = False,
    parallel: int = 4,
) -> TrainingSetReport:
    """Make a training set, all steps one after the other: what the DAG cannon_training_set does in tasks.

    Parameters
    ----------
    workspace
        The installation.
    table
        The table of labels.
    parameters
        How the set is made.
    output
        File to write, .pkl or .npz; the other one is written beside it.  Default: the installation's training set.
    use_remote, parallel
        Whether files that are not here are fetched, and how many at a time.  If not, stars are chosen from those
        whose file is here.

    Raises
    ------
    LabelTableError
        The table lacks a column, or holds what it cannot.
    BadInputError
        ``BAD_TRAINING_SET``: no star is left, or two are the same.
    OSError
        Trouble with the disk, the network or the database that may pass; the next call goes on from there.
    """
    plan = plan_training_set(workspace, table, parameters, only_here=not use_remote)
    paths = find_spectra(workspace, plan, use_remote=use_remote, parallel=parallel)
    faults: list[Exception] = []
    for number, some in enumerate(chunks(paths, NORMALIZED_TOGETHER), 1):
        outcomes = normalize_files(workspace, some, parameters.normalization)
        faults += [each.fault for each in outcomes if each.fault and not isinstance(each.fault, BadInputError)]
        log.info("%d of %d files are normalised", min(number * NORMALIZED_TOGETHER, len(paths)), len(paths))
    if faults:
        raise faults[0]
    return write_training_set(workspace, plan.identity, output or workspace.settings.training_set)


def write_training_set(workspace: Workspace, plan_id: str, output: str | Path) -> TrainingSetReport:
    """Gather the normalised spectra of a plan's stars, and write the set.

    The same plan and the same spectra give the same bytes, and a file that has them is left alone, time stamp included.  The
    spectra are in memory once: 16 bytes a pixel and star, 224 MB for 1624 stars.

    Parameters
    ----------
    workspace
        The installation.
    plan_id
        Identity of the plan.
    output
        File to write, .pkl or .npz; the other one is written beside it.

    Raises
    ------
    LookupError
        There is no such plan; or files are neither normalised nor rejected
        (:class:`apogee_labels.pipeline.training_sets.training_spectra.UnfinishedSpectraError`).
    BadInputError
        ``BAD_TRAINING_SET``: no star is left, or two are the same.
    OSError
        A product cannot be read, or the set cannot be written.
    """
    started = time.perf_counter()
    plan = read_plan(workspace, plan_id)
    gathered = gather_spectra(workspace, plan)
    training_set, n_closed = _assemble(plan, gathered)
    path = Path(output)
    other = path.with_suffix(".pkl" if path.suffix == ".npz" else ".npz")
    with workspace.lock("training_set"):
        write_if_changed(other, training_set.write)
        is_new = write_if_changed(path, training_set.write)  # last: it is the one that is watched
    report = TrainingSetReport(
        path=path,
        digest=digest_file(path),
        is_new=is_new,
        n_stars=len(training_set),
        left_out=dict(sorted(gathered.left_out.items())),
        n_closed=n_closed,
        plan=plan,
    )
    log.info(
        "%s: %d stars, %d pixels closed, left out: %s; %s (%.1f s): %s",
        path, report.n_stars, n_closed, ", ".join(f"{n} {reason}" for reason, n in report.left_out.items()) or "none",
        "written" if is_new else "it is there with this content", time.perf_counter() - started, short(report.digest),
    )  # fmt: skip
    return report


def _assemble(plan: TrainingPlan, gathered: GatheredSpectra) -> tuple[TrainingSet, int]:
    """Make the set, with the pixels that too few stars have closed; and how many those are."""
    import numpy as np

    from apogee_labels.cannon.training_set import TrainingSet

    if not gathered.stars:
        raise BadInputError(
            Reason.BAD_TRAINING_SET,
            f"no star is left of {plan.steps[0].left} in the table; left out: {dict(gathered.left_out)}, and see the cuts: "
            "loosen them, put the files into the archive, or set use_remote.",
        )
    n_seen = np.count_nonzero(gathered.ivar > 0, axis=0)
    closed = (n_seen > 0) & (n_seen < plan.parameters["least_share"] * len(gathered.stars))
    gathered.ivar[:, closed], gathered.flux[:, closed] = 0.0, 1.0
    training_set = TrainingSet(
        wavelength=gathered.wavelength,
        flux=gathered.flux,
        ivar=gathered.ivar,
        labels=np.array([star.labels for star in gathered.stars]),
        label_names=plan.label_names,
        provenance=_provenance(plan, gathered, int(closed.sum())),
    )
    return training_set, int(closed.sum())


def _provenance(plan: TrainingPlan, gathered: GatheredSpectra, n_closed: int) -> dict[str, str | int | float]:
    """Say what the set was made from: no time, name or path, so that the same input gives the same bytes."""
    return {
        "maker": "cannon_training_set",
        "method_version": METHOD_VERSION,
        "label_table": plan.table_digest,
        "label_columns": _json(plan.columns),
        "parameters": _json({name: value for name, value in plan.parameters.items() if name != "normalization"}),
        "normalization": _json(plan.normalization),
        "release": plan.release,
        "apred": plan.apred,
        "cuts": _json([step._asdict() for step in plan.steps]),
        "n_left_out": sum(gathered.left_out.values()),
        "n_stars": len(gathered.stars),
        "n_closed_pixels": n_closed,
        "stars": _json([star.obj for star in gathered.stars]),
        "contents": digest_of(contents=gathered.contents),
    }


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
