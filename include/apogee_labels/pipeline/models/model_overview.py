"""All models as people look for them: what was decided about each, when it was in force, and its numbers.

Takes the catalogue and the reports; makes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from apogee_labels.catalog.queries.models import InForceRecord
from apogee_labels.catalog.records import ModelRecord, VerdictRecord
from apogee_labels.pipeline.models.model_report import ModelReport, read_report

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace


class Period(NamedTuple):
    """A time during which a model was in force; until None: it is."""

    name: str
    since: datetime
    until: datetime | None
    decided_by: str
    reason: str | None


@dataclass(frozen=True)
class ModelRow:
    """What is known of a model."""

    model: ModelRecord
    verdict: VerdictRecord | None
    periods: tuple[Period, ...]
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
        found: dict[str, Any] = {
            "id": self.model.id,
            "name": self.model.name,
            "training_set": self.model.training_set_digest,
            "label_names": list(self.model.label_names),
            "stars": self.model.n_stars,
            "parameters": dict(self.model.parameters),
            "created": _moment(self.model.created),
            "code_version": self.model.code_version,
            "verdict": None if verdict is None else {
                "outcome": verdict.outcome.value,
                "reason": verdict.reason,
                "decided_by": verdict.decided_by,
                "created": _moment(verdict.created),
            },
            "in_force": [
                period._asdict() | {"since": _moment(period.since), "until": _moment(period.until)}
                for period in self.periods
            ],
            "rms": self.rms,
        }  # fmt: skip
        if full:
            found["report"] = dict(self.report.content) if self.report else None
            found["details"] = dict(verdict.details) if verdict and verdict.details else None
        return found


def model_rows(workspace: Workspace) -> list[ModelRow]:
    """Return all models, the newest first."""
    models = workspace.catalog.models.all()
    verdicts = workspace.catalog.models.verdicts(model.id for model in models)
    periods = _periods(workspace.catalog.models.history())
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
    periods = _periods(workspace.catalog.models.history())
    verdict = workspace.catalog.models.verdict(model.id)
    return ModelRow(model, verdict, periods.get(model.id, ()), read_report(workspace, model.id))


def report_text(workspace: Workspace, model_id: str) -> str | None:
    """Return the page of the report that is kept with a model, if there is one."""
    try:
        return workspace.report_path(model_id, "html").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _periods(history: Sequence[InForceRecord]) -> dict[str, tuple[Period, ...]]:
    """When each model was in force, from what was put in force one after the other."""
    found: dict[str, tuple[Period, ...]] = {}
    next_of_name: dict[str, datetime] = {}
    for each in reversed(history):
        until = next_of_name.get(each.name)
        period = Period(each.name, each.since, until, each.decided_by, each.reason)
        found[each.model_id] = (period, *found.get(each.model_id, ()))
        next_of_name[each.name] = each.since
    return found


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")
