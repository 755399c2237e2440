"""A model comes into force, or is refused: by the rule, by a person who was asked, or by one who goes back to another.

Takes a trained model; done already when there is a verdict; makes the verdict, with the numbers it rests on and who decided,
and the row that puts the model in force.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from apogee_labels.catalog.records import ModelRecord, VerdictOutcome, VerdictRecord
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import short
from apogee_labels.pipeline.analysis.infer import read_model
from apogee_labels.pipeline.models.model_report import ModelReport, read_report

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

WHO = 128
"""Characters of a name that the catalogue keeps."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of the question about a model."""

    approved: bool
    by: str | None
    """Who answered; None: nobody, in time."""
    at: datetime | str
    comment: str = ""

    @property
    def decided_by(self) -> str:
        """For the verdict."""
        return self.by or "no answer in time"

    @property
    def sentence(self) -> str:
        """For the verdict."""
        if self.by is None:
            return "refused, for nobody answered in time"
        return f"{'approved' if self.approved else 'refused'} by {self.by}" + (
            f": {self.comment}" if self.comment else ""
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        at = self.at if isinstance(self.at, str) else self.at.isoformat(timespec="seconds")
        return {"approved": self.approved, "by": self.by, "at": at, "comment": self.comment}


def accept_model(
    workspace: Workspace,
    identity: str,
    decided_by: str,
    reason: str = "trained",
    *,
    details: Mapping[str, Any] | None = None,
) -> bool:
    """Put a model in force under the installation's model name and record the verdict; False when it already was.

    A training puts its model in force once.  Run again, it does not undo what a person has put in force since.
    """
    name = workspace.settings.model_name
    if was_replaced(workspace, identity):
        log.warning(
            "model %s was in force as %s before, and another one is now: it stays.  To go back, run the DAG "
            "cannon_model_in_force.", short(identity), name,
        )  # fmt: skip
        changed = False
    else:
        # In force first: a verdict without it would keep the sensor quiet for good.
        changed = workspace.catalog.models.put_in_force(name, identity, decided_by[:WHO], reason)
        log.info("model %s %s in force as %s", short(identity), "is now" if changed else "was already", name)
    _decide(workspace, identity, VerdictOutcome.ACCEPTED, reason, decided_by, details)
    return changed


def refuse_model(
    workspace: Workspace, identity: str, decided_by: str, reason: str, *, details: Mapping[str, Any] | None = None
) -> bool:
    """Record that a model is not to come into force: whether that is new.  The same training is not done again."""
    new = _decide(workspace, identity, VerdictOutcome.REFUSED, reason, decided_by, details)
    log.info("model %s %s: %s", short(identity), "is refused" if new else "has a verdict already", reason)
    return new


def was_replaced(workspace: Workspace, identity: str) -> bool:
    """Whether the model was in force under the installation's name, and another one is now."""
    history = workspace.catalog.models.history(workspace.settings.model_name)
    return any(each.model_id == identity for each in history) and history[-1].model_id != identity


def question_open(workspace: Workspace, identity: str) -> tuple[bool, str]:
    """Return whether a person has to be asked about a model, and why (not).

    Raises
    ------
    LookupError
        The model was not validated yet.
    """
    verdict = workspace.catalog.models.verdict(identity)
    if verdict is not None:
        return False, f"the verdict is on record: {verdict.outcome}, {verdict.reason}"
    name = workspace.settings.model_name
    in_force = workspace.catalog.models.in_force(name)
    if in_force is not None and in_force.id == identity:
        return False, f"it is in force as {name} already"
    report = _report(workspace, identity)
    if report.accepted:
        return False, " ".join(report.reasons)
    return True, " ".join(report.reasons)


def record_answer(workspace: Workspace, identity: str, answer: Answer) -> None:
    """Record a refusal as it comes; :func:`apply_decision` records an approval, for it puts the model in force first."""
    if not answer.approved:
        details = _details(read_report(workspace, identity), answer)
        refuse_model(workspace, identity, answer.decided_by, answer.sentence, details=details)


def apply_decision(workspace: Workspace, identity: str, rule: str, answer: Answer | None = None) -> ModelRecord | None:
    """Put a model in force that the rule or a person accepted.

    Parameters
    ----------
    workspace
        The installation.
    identity
        A model that was validated.
    rule
        Who decided where nobody was asked: the run.
    answer
        What a person said; None: nobody was asked, or nothing came.

    Returns
    -------
    ModelRecord
        The model, which is in force; None where it is not: it was refused, a person has put another one in force since,
        or it waits for an answer.
    """
    catalog, name = workspace.catalog, workspace.settings.model_name
    verdict, in_force = catalog.models.verdict(identity), catalog.models.in_force(name)
    if in_force is not None and in_force.id == identity:
        report = read_report(workspace, identity)
        if verdict is None:
            accept_model(workspace, identity, *_by(rule, answer, report), details=_details(report, answer))
        return in_force
    if verdict is not None and verdict.outcome is not VerdictOutcome.ACCEPTED:
        log.info("model %s does not come into force: %s, %s", short(identity), verdict.outcome, verdict.reason)
        return None
    report = _report(workspace, identity)
    approved = answer is not None and answer.approved
    if verdict is None and not approved and (answer is not None or not report.accepted):
        log.warning("model %s does not come into force: nobody has approved it", short(identity))
        return None
    accept_model(workspace, identity, *_by(rule, answer, report), details=_details(report, answer))
    found = catalog.models.in_force(name)
    return found if found is not None and found.id == identity else None


def put_in_force_by_hand(workspace: Workspace, model: str, reason: str, who: str) -> tuple[ModelRecord, bool]:
    """Put a model in force because a person says so, whatever its verdict; returns it, and whether it was not already.

    Parameters
    ----------
    workspace
        The installation.
    model
        Its identity, or the first 12 characters of it.
    reason
        Why, in a sentence.
    who
        The person.

    Raises
    ------
    CatalogError
        There is no such model.
    BadInputError
        Its file is not there, or damaged.
    """
    catalog, name = workspace.catalog, workspace.settings.model_name
    chosen = cast("ModelRecord", catalog.models.choose(model.strip()))
    try:
        read_model(workspace, chosen.id)
    except FileNotFoundError as fault:
        raise BadInputError(
            Reason.BAD_MODEL,
            f"{workspace.model_path(chosen.id)}: the model's file is not there: put it back, or train on its training set "
            "again.",
        ) from fault
    before = catalog.models.in_force(name)
    changed = catalog.models.put_in_force(name, chosen.id, who[:WHO], reason)
    details = {"put_in_force_by": who, "reason": reason, "instead_of": before.id if before else None}
    # Without a verdict the sensor would have it trained and asked about once more; one that is there stays.
    _decide(workspace, chosen.id, VerdictOutcome.ACCEPTED, f"put in force by {who}: {reason}", who, details)
    log.info("model %s %s in force as %s: %s", short(chosen.id), "is now" if changed else "was already", name, reason)
    return chosen, changed


def _by(rule: str, answer: Answer | None, report: ModelReport | None) -> tuple[str, str]:
    """Who decided, and why."""
    if answer is not None and answer.approved:
        return answer.decided_by, answer.sentence
    return rule, " ".join(report.reasons) if report else "trained"


def _report(workspace: Workspace, identity: str) -> ModelReport:
    report = read_report(workspace, identity)
    if report is None:
        raise LookupError(
            f"expected a report on model {short(identity)} beside it, there is none: run its validate task."
        )
    return report


def _details(report: ModelReport | None, answer: Answer | None) -> dict[str, Any]:
    details: dict[str, Any] = {"report": dict(report.content)} if report else {}
    return details | {"asked": answer is not None, "answer": answer.as_json() if answer else None}


def _decide(
    workspace: Workspace,
    identity: str,
    outcome: VerdictOutcome,
    reason: str,
    decided_by: str,
    details: Mapping[str, Any] | None,
) -> bool:
    return workspace.catalog.models.record_verdict(
        VerdictRecord(
            identity=identity,
            outcome=outcome,
            reason=reason,
            model_id=identity,
            decided_by=decided_by[:WHO],
            details=details,
        )
    )
