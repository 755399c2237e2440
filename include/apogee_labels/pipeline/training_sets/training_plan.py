"""Which stars a training set is made of.

Takes a table of labels and cuts; makes the plan: a file of the stars, their labels and the keys of their files, known by
what is in it, so that the same choice is the same plan.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apogee_labels.apogee.tables.cuts import Cuts
from apogee_labels.apogee.tables.label_cuts import CutStep, select
from apogee_labels.apogee.tables.label_table import LabelTable, read_label_table
from apogee_labels.core.arrays import Bools, Indices
from apogee_labels.core.files import atomic_write, path_below
from apogee_labels.core.identity import digest_of, short
from apogee_labels.pipeline.parameters import TrainingSetParameters
from apogee_labels.pipeline.stars.star_places import places_of

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

METHOD_VERSION = "1"
"""Raised whenever the same table and parameters would give another training set."""


@dataclass(frozen=True)
class PlannedStar:
    """A star of the set: the keys of its file, and its labels in the order of the set's."""

    keys: Mapping[str, str]
    labels: tuple[float, ...]

    @property
    def obj(self) -> str:
        """Name of the star."""
        return self.keys["obj"]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """The stars of a training set to be, by name, and what chose them."""

    identity: str
    table_digest: str
    columns: Mapping[str, str]
    parameters: Mapping[str, Any]
    release: str
    apred: str
    steps: tuple[CutStep, ...]
    from_files: tuple[str, ...]
    """Of ``snr`` and ``starflag`` those that the table does not have: the files' own decide."""
    stars: tuple[PlannedStar, ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Labels of the set."""
        return tuple(self.parameters["label_names"])

    @property
    def normalization(self) -> dict[str, Any]:
        """Parameters of the normalisation, as they enter its identity."""
        return dict(self.parameters["normalization"])

    @property
    def cuts(self) -> Cuts:
        """The cuts."""
        return Cuts(**self.parameters["cuts"])


def plan_training_set(
    workspace: Workspace, table: str | Path, parameters: TrainingSetParameters, *, only_here: bool = False
) -> TrainingPlan:
    """Choose the stars of a training set.

    Parameters
    ----------
    workspace
        The installation.
    table
        The table of labels: FITS or CSV (:mod:`apogee_labels.apogee.tables.label_table`).
    parameters
        How the set is made.
    only_here
        Choose from the stars whose file is in the archive.

    Raises
    ------
    LabelTableError
        The table lacks a column, or holds what it cannot.
    OSError
        It is not there or cannot be read.
    """
    started = time.perf_counter()
    read = read_label_table(table, list(dict.fromkeys([*parameters.label_names, *parameters.cuts.ranges])))

    def is_here(rows: Indices) -> Bools:
        log.info("looking for the files of %d entries", len(rows))
        stars = [_keys(read, int(row), parameters.telescope) for row in rows]
        return np.array([place.is_here for place in places_of(workspace, stars)], dtype=bool)

    selection = select(read, parameters.label_names, parameters.cuts, is_here=is_here if only_here else None)
    content: dict[str, Any] = {
        "table_digest": read.digest,
        "columns": {name: read.columns[name] for name in parameters.label_names},
        "parameters": parameters.as_json(),
        "release": workspace.settings.release,
        "apred": workspace.settings.apred,
        "steps": selection.steps,
        "from_files": tuple(name for name in ("snr", "starflag") if getattr(read, name) is None),
        "stars": tuple(_stars(read, selection.rows, parameters)),
    }
    stars = [[dict(star.keys), star.labels] for star in content["stars"]]
    plan = TrainingPlan(identity=digest_of(kind="training_plan", **content | {"stars": stars}), **content)
    _write(plan, workspace.training_plan_path(plan.identity))
    log.info(
        "%s: %d stars are chosen, %.1f s: plan %s\n%s",
        Path(table).name, len(plan.stars), time.perf_counter() - started, short(plan.identity), steps_text(plan.steps),
    )  # fmt: skip
    return plan


def read_plan(workspace: Workspace, identity: str) -> TrainingPlan:
    """Read a plan that was made before.

    Raises
    ------
    LookupError
        There is none; the table is to be read again.
    """
    path = workspace.training_plan_path(identity)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LookupError(f"no plan of a training set at {path}: run the task that selects the stars again.") from None
    values["steps"] = tuple(CutStep(*step) for step in values["steps"])
    values["stars"] = tuple(PlannedStar(star["keys"], tuple(star["labels"])) for star in values["stars"])
    return TrainingPlan(**values | {"from_files": tuple(values["from_files"])})


def steps_text(steps: Sequence[CutStep]) -> str:
    """Give the cuts as a table for people: what each took out, and what it left.

    >>> print(steps_text([CutStep("in the table", 0, 5), CutStep("a name", 2, 3)]))
      removed      left  cut
            0         5  in the table
            2         3  a name
    """
    return "\n".join(["  removed      left  cut", *(f"{step.removed:9d} {step.left:9d}  {step.cut}" for step in steps)])


def allowed_table(workspace: Workspace, name: str) -> Path:
    """Return the path of a table that a form names; a relative one counts from the data folder.

    Raises
    ------
    ValueError
        It lies neither below the data folder nor below the archive, links resolved: a form must not open others.
    """
    return _below(workspace, name, (workspace.settings.data_dir, workspace.settings.sas_base_dir), "label table")


def _below(workspace: Workspace, name: str, roots: Sequence[Path], what: str) -> Path:
    path = path_below(workspace.settings.data_dir / Path(name).expanduser(), roots)
    if path is None:
        raise ValueError(f"{what} {name}: expected a path below {' or '.join(map(str, roots))}: put the file there.")
    return path


def allowed_output(workspace: Workspace, name: str) -> Path:
    """Return where a form wants the set: the installation's own training set, or a path below the data folder.

    Raises
    ------
    ValueError
        It lies elsewhere, or its name does not end as that of a training set.
    """
    from apogee_labels.cannon.training_set import PICKLE_SUFFIXES

    own = workspace.settings.training_set
    path = own if Path(name) == own else _below(workspace, name, (workspace.settings.data_dir,), "training set")
    if path.suffix not in (*PICKLE_SUFFIXES, ".npz"):
        raise ValueError(f"training set {name}: expected a name that ends in .pkl, .pickle or .npz.")
    return path


def _stars(table: LabelTable, rows: Indices, parameters: TrainingSetParameters) -> list[PlannedStar]:
    columns = [table.values[name] for name in parameters.label_names]
    return [
        PlannedStar(_keys(table, int(row), parameters.telescope), tuple(float(column[row]) for column in columns))
        for row in rows
    ]


def _keys(table: LabelTable, row: int, telescope: str) -> dict[str, str]:
    given = {key: str(column[row]) for key, column in table.keys.items() if column[row]}
    return {"telescope": telescope, **given, "obj": str(table.stars[row])}


def _write(plan: TrainingPlan, path: Path) -> None:
    """Write a plan, as JSON; one that is there is the same."""
    values = {
        name: getattr(plan, name)
        for name in (
            "identity", "table_digest", "columns", "parameters", "release", "apred", "steps", "from_files",
        )
    }  # fmt: skip
    stars = [{"keys": dict(star.keys), "labels": star.labels} for star in plan.stars]
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({**values, "stars": stars}, sort_keys=True), encoding="utf-8")
