"""All models as people look for them: what was decided about each, when it was in force, and its numbers.

Takes the catalogue and the reports; makes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from apogee_labels.catalog.records import InForce, ModelRecord, VerdictRecord
from apogee_labels.core.plain import plain_fields
from apogee_labels.pipeline.models.model_report import ModelReport, read_report

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace


@dataclass(frozen=True)
class ModelRow:
    """What is known of a model."""

    model: ModelRecord
    verdict: VerdictRecord | None
    periods: Sequence[InForce]
    report: ModelReport | None

    @property
    def in_force(self) -> bool:
        """Whether it is in force under some name."""
        return any(period.until is None for period in self.periods)

    @property
    def rms(self) -> dict[str, float]:
        """The rms of stars held back by label, where there is a report on a validated model."""
        labels = self.report.content["model"]["labels"] if self.report else {}
        return {name: found["rms"] for name, found in labels.items() if found["rms"] is not None}

    def as_json(self, *, full: bool = False) -> dict[str, Any]:
        """Return plain JSON values; `full`: with the report's numbers."""
        verdict = self.verdict
        found: dict[str, Any] = plain_fields(self.model, "id name label_names parameters created code_version") | {
            "training_set": self.model.training_set_digest,
            "stars": self.model.n_stars,
            "verdict": verdict and plain_fields(verdict, "outcome reason decided_by created"),
            "in_force": [plain_fields(period, "name since until decided_by reason") for period in self.periods],
            "rms": self.rms,
        }
        if full:
            found["report"] = dict(self.report.content) if self.report else None
            found["details"] = dict(verdict.details) if verdict and verdict.details else None
        return found


def model_rows(workspace: Workspace) -> list[ModelRow]:
    """Return all models, the newest first."""
    models = workspace.catalog.models.all()
    verdicts = workspace.catalog.models.verdicts(model.id for model in models)
    periods = _periods(workspace)
    return [
        ModelRow(model, verdicts.get(model.id), periods.get(model.id, ()), read_report(workspace, model.id))
        for model in reversed(models)
    ]


def model_row(workspace: Workspace, beginning: str) -> ModelRow:
    """Return one model by its identity, or the first 12 characters of it.

    Raises
    ------
    CatalogError
        There is no such model.
    """
    model = cast("ModelRecord", workspace.catalog.models.choose(beginning))
    periods = _periods(workspace)
    verdict = workspace.catalog.models.verdict(model.id)
    return ModelRow(model, verdict, periods.get(model.id, ()), read_report(workspace, model.id))


def report_text(workspace: Workspace, model_id: str) -> str | None:
    """Return the page of the report that is kept with a model, if there is one."""
    try:
        return workspace.report_path(model_id, "html").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _periods(workspace: Workspace) -> dict[str, list[InForce]]:
    """When each model was in force."""
    found: dict[str, list[InForce]] = {}
    for period in workspace.catalog.models.history():
        found.setdefault(period.model_id, []).append(period)
    return found
