"""The report on a model: what validation found, the same of the model in force, and both on the reference stars.

Takes a trained model and tolerances; done already when the report was made of the same model, against the same, with the
same tolerances; makes its numbers (``<model>.report.json``) and its page (``<model>.report.html``) beside the model.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apogee_labels.catalog.records import ModelRecord, utc_now
from apogee_labels.core.errors import BadInputError
from apogee_labels.core.files import atomic_write
from apogee_labels.core.identity import digest_of, short
from apogee_labels.pipeline.analysis.infer import read_model
from apogee_labels.pipeline.models.judgement import Tolerances, judge
from apogee_labels.pipeline.models.model_numbers import Comparison, ModelNumbers, numbers_of
from apogee_labels.pipeline.models.reference_stars import compare_models, reference_stars

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

VERSION = "1"
"""Of what a report holds; another one is made where it changes."""


@dataclass(frozen=True)
class ModelReport:
    """A report as it is kept: plain JSON values.

    ``content`` has ``identity``, ``model`` and ``in_force`` (of
    :class:`~apogee_labels.pipeline.models.model_numbers.ModelNumbers`;
    null: none), ``reference`` (:class:`~apogee_labels.pipeline.models.model_numbers.Comparison`; null: no stars
    yet), ``tolerances``,
    ``judgement`` and ``made``.
    """

    content: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """Digest of what made the report."""
        return str(self.content["identity"])

    @property
    def model_id(self) -> str:
        """The model that it is on."""
        return str(self.content["model"]["model_id"])

    @property
    def accepted(self) -> bool:
        """Whether the model may come into force by itself."""
        return bool(self.content["judgement"]["accepted"])

    @property
    def reasons(self) -> list[str]:
        """Why a person is asked; or what was looked at."""
        return [str(reason) for reason in self.content["judgement"]["reasons"]]


def validate_model(workspace: Workspace, identity: str, tolerances: Tolerances) -> ModelReport:
    """Make the report on a model and judge it, unless that is done.

    Raises
    ------
    BadInputError
        The model is not on record, or its file is missing or damaged.
    ValueError
        The file of reference stars cannot be used.
    OSError
        Trouble with the disk or the database that may pass; try again.
    """
    in_force = workspace.catalog.models.in_force(workspace.settings.model_name)
    kept = read_report(workspace, identity)
    if in_force is not None and in_force.id == identity:
        if kept is not None:
            return kept  # of when it was new
        in_force = None
    stars = [star.normalization_id for star in reference_stars(workspace)] if in_force else []
    made_of = digest_of(
        model=identity,
        in_force=in_force.id if in_force else None,
        stars=sorted(stars),
        tolerances=tolerances.as_json(),
        version=VERSION,
    )
    if kept is not None and kept.identity == made_of and workspace.report_path(identity, "html").exists():
        log.info("model %s was validated before: %s", short(identity), " ".join(kept.reasons))
        return kept
    return _make(workspace, identity, in_force, tolerances, made_of)


def read_report(workspace: Workspace, identity: str) -> ModelReport | None:
    """Return the report that is kept with a model; None where there is none, or one that cannot be read."""
    path = workspace.report_path(identity)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        report = ModelReport(content)
        return report if report.model_id == identity and report.identity else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as fault:
        log.warning("the report %s is made anew: %s", path, fault)
        return None


def _make(
    workspace: Workspace, identity: str, in_force: ModelRecord | None, tolerances: Tolerances, made_of: str
) -> ModelReport:
    from apogee_labels.pipeline.models.model_page import write_report_page

    model = read_model(workspace, identity)
    ours = numbers_of(model, identity)
    theirs, comparison = _of_model_in_force(workspace, in_force), None
    if in_force is not None:
        comparison = compare_models(workspace, identity, in_force.id)
    judgement = judge(ours, theirs, comparison, tolerances)
    report = ModelReport(
        {
            "identity": made_of,
            "name": workspace.settings.model_name,
            "model": ours.as_json(),
            "in_force": theirs.as_json() if theirs else None,
            "reference": comparison.as_json() if comparison else None,
            "tolerances": tolerances.as_json(),
            "judgement": judgement.as_json(),
            "made": utc_now().isoformat(timespec="seconds"),
        }
    )
    write_report_page(workspace.report_path(identity, "html"), report.content, model)
    with atomic_write(workspace.report_path(identity)) as temporary:  # last: it says that both are there
        temporary.write_text(json.dumps(report.content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    log.info("model %s %s", short(identity), _outcome(judgement.accepted, ours, comparison))
    for reason in judgement.reasons:
        log.info("%s", reason)
    return report


def _of_model_in_force(workspace: Workspace, record: ModelRecord | None) -> ModelNumbers | None:
    """What the model in force says of itself; nothing but its labels where its file cannot be read any more."""
    if record is None:
        return None
    try:
        return numbers_of(read_model(workspace, record.id), record.id)
    except (BadInputError, FileNotFoundError) as fault:
        log.warning("model %s is in force and cannot be read: %s", short(record.id), fault)
        return ModelNumbers.unknown(record.id, record.label_names, record.n_stars)


def _outcome(accepted: bool, ours: ModelNumbers, comparison: Comparison | None) -> str:
    stars = "no reference stars" if comparison is None else f"{comparison.n_compared} reference stars"
    verdict = "may come into force by itself" if accepted else "is for a person to decide on"
    return f"{verdict}: {ours.n_held_out} stars held back, {stars}"
