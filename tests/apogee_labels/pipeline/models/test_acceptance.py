"""How a model comes into force: by the rule, by a person, by one who goes back; and what no run undoes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from apogee_labels.catalog import CatalogError
from apogee_labels.catalog.records import VerdictOutcome, VerdictRecord
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.pipeline.models.acceptance import (
    Answer,
    accept_model,
    apply_decision,
    put_in_force_by_hand,
    question_open,
    record_answer,
    refuse_model,
)
from apogee_labels.pipeline.models.judgement import Tolerances
from apogee_labels.pipeline.models.model_report import read_report, validate_model
from apogee_labels.pipeline.models.train import training_due
from apogee_labels.pipeline.workspace import Workspace

PutModel = Callable[[Workspace], str]
STRICT = Tolerances(first_teff=0.001)
"""With which no first model is accepted."""
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
YES = Answer(approved=True, by="ada", at=AT, comment="looks good")
NO = Answer(approved=False, by="ada", at=AT)
NOBODY = Answer(approved=False, by=None, at=AT)


@pytest.fixture
def model_id(workspace: Workspace, put_model: PutModel) -> str:
    """A trained model that nobody has judged."""
    return put_model(workspace)


def another(workspace: Workspace, model_id: str, letter: str = "f") -> str:
    """The same model under another identity, as if another training set had given it."""
    identity, record = letter * 64, workspace.catalog.models.get(model_id)
    assert record is not None
    shutil.copyfile(workspace.model_path(model_id), workspace.model_path(identity))
    workspace.catalog.models.record(replace(record, id=identity))
    return identity


def in_force(workspace: Workspace) -> str | None:
    found = workspace.catalog.models.in_force("giants")
    return found.id if found else None


def verdict(workspace: Workspace, identity: str) -> VerdictRecord:
    found = workspace.catalog.models.verdict(identity)
    assert found is not None
    return found


def test_the_rule_puts_a_good_model_in_force_and_keeps_its_numbers(workspace: Workspace, model_id: str) -> None:
    report = validate_model(workspace, model_id, Tolerances())
    assert question_open(workspace, model_id) == (False, " ".join(report.reasons))
    made = apply_decision(workspace, model_id, "a run")
    assert made is not None
    assert made.id == model_id == in_force(workspace)
    found = verdict(workspace, model_id)
    assert (found.outcome, found.decided_by) == (VerdictOutcome.ACCEPTED, "a run")
    assert found.reason.startswith("The first model of its name is within the limits: rms TEFF")
    assert found.details is not None
    assert found.details["report"] == dict(report.content)
    assert (found.details["asked"], found.details["answer"]) == (False, None)


def test_decided_twice_changes_nothing(workspace: Workspace, model_id: str) -> None:
    validate_model(workspace, model_id, Tolerances())
    apply_decision(workspace, model_id, "a run")
    first = verdict(workspace, model_id), workspace.catalog.models.history()
    assert apply_decision(workspace, model_id, "another run") is not None
    assert (verdict(workspace, model_id), workspace.catalog.models.history()) == first


def test_a_yes_puts_the_model_in_force_and_says_who_and_when(workspace: Workspace, model_id: str) -> None:
    validate_model(workspace, model_id, STRICT)
    is_open, reason = question_open(workspace, model_id)
    assert is_open
    assert "the first model may have 0.001 K" in reason
    assert apply_decision(workspace, model_id, "a run") is None, "without an answer nothing comes into force"
    assert workspace.catalog.models.verdict(model_id) is None
    record_answer(workspace, model_id, YES)
    assert apply_decision(workspace, model_id, "a run", YES) is not None
    found = verdict(workspace, model_id)
    assert (found.outcome, found.decided_by, found.reason) == (
        VerdictOutcome.ACCEPTED, "ada", "approved by ada: looks good",
    )  # fmt: skip
    assert found.details is not None
    assert found.details["answer"] == {
        "approved": True, "by": "ada", "at": "2026-03-01T12:00:00+00:00", "comment": "looks good",
    }  # fmt: skip
    assert workspace.catalog.models.history()[-1].reason == "approved by ada: looks good"


@pytest.mark.parametrize(
    ("answer", "by", "reason"),
    [(NO, "ada", "refused by ada"), (NOBODY, "no answer in time", "refused, for nobody answered in time")],
)
def test_a_no_or_silence_is_a_verdict_once_and_for_all(
    workspace: Workspace, model_id: str, answer: Answer, by: str, reason: str
) -> None:
    validate_model(workspace, model_id, STRICT)
    record_answer(workspace, model_id, answer)
    found = verdict(workspace, model_id)
    assert (found.outcome, found.decided_by, found.reason) == (VerdictOutcome.REFUSED, by, reason)
    assert apply_decision(workspace, model_id, "a run", answer) is None
    assert apply_decision(workspace, model_id, "a later run", YES) is None, "what was refused stays so in a run"
    assert in_force(workspace) is None
    assert not training_due(workspace, model_id)[0]
    assert question_open(workspace, model_id) == (False, f"the verdict is on record: refused, {reason}")


def test_killed_between_in_force_and_verdict_the_next_try_ends_it(workspace: Workspace, model_id: str) -> None:
    validate_model(workspace, model_id, STRICT)
    workspace.catalog.models.put_in_force("giants", model_id, "ada")
    assert not question_open(workspace, model_id)[0], "it is in force: nobody is asked"
    assert apply_decision(workspace, model_id, "a run", YES) is not None
    assert verdict(workspace, model_id).decided_by == "ada"
    assert len(workspace.catalog.models.history()) == 1


def test_a_training_that_is_run_again_does_not_undo_what_a_person_chose(workspace: Workspace, model_id: str) -> None:
    newer = another(workspace, model_id)
    for identity in (model_id, newer):
        validate_model(workspace, identity, Tolerances())
        assert apply_decision(workspace, identity, "a run") is not None
    put_in_force_by_hand(workspace, model_id[:12], "the newer one is off for cool stars", "ada")
    assert in_force(workspace) == model_id
    assert apply_decision(workspace, newer, "its run, cleared") is None
    assert not accept_model(workspace, newer, "a script")
    assert in_force(workspace) == model_id
    assert not training_due(workspace, newer)[0]
    assert not training_due(workspace, model_id)[0]


def test_a_person_puts_a_refused_model_in_force_and_one_without_a_verdict(workspace: Workspace, model_id: str) -> None:
    refused, waiting = another(workspace, model_id, "e"), another(workspace, model_id, "d")
    refuse_model(workspace, refused, "ada", "too few stars")
    for identity in (refused, waiting):
        record, changed = put_in_force_by_hand(workspace, identity, "wanted for a paper", "grace")
        assert (record.id, changed, in_force(workspace)) == (identity, True, identity)
        assert not training_due(workspace, identity)[0], "the sensor leaves it alone"
    assert verdict(workspace, refused).outcome is VerdictOutcome.REFUSED, "what was decided once stays on record"
    assert verdict(workspace, waiting).decided_by == "grace"
    last = workspace.catalog.models.history()[-1]
    assert (last.decided_by, last.reason) == ("grace", "wanted for a paper")
    assert put_in_force_by_hand(workspace, waiting, "again", "grace")[1] is False
    record_answer(workspace, waiting, NO)
    assert in_force(workspace) == waiting, "an answer that comes later does not undo it"


def test_going_back_needs_a_model_that_is_there_and_whole(workspace: Workspace, model_id: str) -> None:
    workspace.catalog.models.put_in_force("giants", model_id, "test")
    with pytest.raises(CatalogError, match="expected the identity of a model"):
        put_in_force_by_hand(workspace, "0" * 64, "why", "ada")
    damaged, gone = another(workspace, model_id, "e"), another(workspace, model_id, "d")
    content = workspace.model_path(damaged).read_bytes()
    workspace.model_path(damaged).write_bytes(content[: len(content) // 2])
    workspace.model_path(gone).unlink()
    for identity in (damaged, gone):
        with pytest.raises(BadInputError) as fault:
            put_in_force_by_hand(workspace, identity, "why", "ada")
        assert fault.value.reason is Reason.BAD_MODEL
    assert in_force(workspace) == model_id


def test_two_names_in_one_catalogue_do_not_disturb_each_other(workspace: Workspace, model_id: str) -> None:
    dwarfs = replace(workspace, settings=workspace.settings.model_copy(update={"model_name": "dwarfs"}))
    other = another(workspace, model_id)
    validate_model(workspace, model_id, Tolerances())
    apply_decision(workspace, model_id, "a run")
    validate_model(dwarfs, other, Tolerances())
    report = read_report(dwarfs, other)
    assert report is not None
    assert (report.content["name"], report.content["in_force"]) == ("dwarfs", None), "the first of its own name"
    apply_decision(dwarfs, other, "a run")
    assert [workspace.catalog.models.in_force(name).id for name in ("giants", "dwarfs")] == [model_id, other]  # type: ignore[union-attr]
    put_in_force_by_hand(dwarfs, model_id, "both use it", "ada")
    assert in_force(workspace) == model_id
    assert [each.name for each in workspace.catalog.models.history()] == ["giants", "dwarfs", "dwarfs"]


def test_a_model_that_was_not_validated_is_not_decided_on(workspace: Workspace, model_id: str) -> None:
    with pytest.raises(LookupError, match="run its validate task"):
        apply_decision(workspace, model_id, "a run")
