"""Why a night is not done, through the real steps: reasons, verdicts, and overviews that agree with the nights."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apogee_labels.apogee.archive.nights import OBSERVATORIES, observatory
from apogee_labels.catalog.records import (
    NIGHT_STATUSES,
    FileState,
    FileStatus,
    Night,
    RejectionRecord,
    RunOfNight,
    Stage,
    subject_of_path,
)
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import (
    InferenceParameters,
    NormalizationParameters,
    ResultIdentities,
    TrainingParameters,
)
from apogee_labels.pipeline.models.acceptance import accept_model
from apogee_labels.pipeline.models.train import train_model
from apogee_labels.pipeline.nights.night import NightKey, list_night
from apogee_labels.pipeline.nights.night_status import NightStatus, night_status, nights_overview
from apogee_labels.pipeline.nights.night_verdict import MEANING, NAMES, night_verdict
from apogee_labels.pipeline.nights.publish import publish_night
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_labels.catalog.queries.test_states import statements

TELESCOPE, FIRST, SECOND = "apo25m", 59280, 59281
NOW = datetime(2021, 3, 20, tzinfo=UTC)


@pytest.fixture
def model_id(workspace: Workspace, training: TrainingParameters) -> str:
    identity = train_model(workspace, workspace.settings.training_set, training)
    accept_model(workspace, identity, "test")
    return identity


def paths_of(workspace: Workspace, mjd: int) -> list[str]:
    return [file.path for file in workspace.catalog.archive.files_of_night(TELESCOPE, mjd)]


class Nightly:
    """The steps of a run, one by one."""

    def __init__(self, workspace: Workspace, mjd: int, model: str | None, run_id: str = "scheduled__x") -> None:
        self.workspace, self.model = workspace, model
        self.night = NightKey(TELESCOPE, mjd, run_id)
        self.identities = ResultIdentities.nightly(workspace.settings.continuum_regions)

    def list(self) -> tuple[str, ...]:
        return list_night(self.workspace, self.night, self.identities, self.model)

    def analyse(self, path: str) -> None:
        parameters = NormalizationParameters(regions=self.workspace.settings.continuum_regions)
        try:
            item = normalize_file(self.workspace, path, parameters)
        except BadInputError:
            return
        if self.model:
            infer_labels(self.workspace, [item.normalization_id], self.model, InferenceParameters())

    def publish(self) -> None:
        publish_night(self.workspace, self.night, self.identities)


def told(workspace: Workspace, mjd: int = FIRST) -> NightStatus:
    """The night by itself; the overview must say the same, in as many statements as for one night."""
    status = night_status(workspace, TELESCOPE, mjd, now=NOW)
    with statements(workspace.catalog) as sent:
        rows = {row.night: row for row in nights_overview(workspace, 50000, 70000, now=NOW)}
    assert len(sent) == 5, "the model in force (2), the files, the rejections, the runs"
    row = rows[status.night]
    assert (row.counts, row.verdict) == (status.counts, status.verdict)
    assert row.last_run == (status.runs[-1] if status.runs else None)
    return status


def test_a_night_from_nothing_to_done(workspace: Workspace, survey: SyntheticSurvey, model_id: str) -> None:
    assert night_status(workspace, TELESCOPE, FIRST, now=NOW).verdict.sentence == (
        "Not done: no run has looked for its files. Backfill it."
    )
    run = Nightly(workspace, FIRST, model_id)
    due = run.list()
    damage(Path(due[0]), Damage.TRUNCATED)
    under_way = told(workspace)
    assert under_way.counts == {FileStatus.UNDER_WAY: len(due)}
    assert under_way.verdict.sentence.startswith(
        f"Not done: {len(due)} under way. Run scheduled__x listed its files at"
    )
    for path in due[:-1]:
        run.analyse(path)
    run.publish()
    failed = told(workspace)
    assert failed.counts == {FileStatus.DONE: len(due) - 2, FileStatus.REJECTED: 1, FileStatus.FAILED: 1}
    assert failed.verdict.sentence == "Not done: 1 failed. Clear the failed tasks of run scheduled__x."
    run.analyse(due[-1])
    run.publish()
    done = told(workspace)
    assert done.verdict.is_done
    assert done.verdict.sentence == f"Done: {len(due) - 1} file(s) with labels, 1 rejected."
    (rejected,) = (file for file in done.files if file.status is FileStatus.REJECTED)
    assert (rejected.path, rejected.reason) == (due[0], Reason.UNREADABLE)
    assert rejected.message
    assert done.listed == {"scheduled__x": {FileStatus.DUE: len(due)}}


def test_a_rewritten_file_waits_for_the_next_run(workspace: Workspace, survey: SyntheticSurvey, model_id: str) -> None:
    run = Nightly(workspace, FIRST, model_id)
    for path in run.list():
        run.analyse(path)
    run.publish()
    path = Path(paths_of(workspace, FIRST)[0])
    path.write_bytes(path.read_bytes() + b"\0" * 2880)
    Nightly(workspace, 59400, model_id, "of another night").list()  # it scans the archive
    waiting = told(workspace)
    assert waiting.counts[FileStatus.WAITING] == 1
    assert waiting.verdict.sentence == "Not done: 1 waiting. Run the night again: it does only what is not done."


def test_without_a_model_and_with_a_new_one(
    workspace: Workspace, survey: SyntheticSurvey, training: TrainingParameters
) -> None:
    run = Nightly(workspace, FIRST, None)
    due = run.list()
    for path in due:
        run.analyse(path)
    run.publish()
    assert told(workspace).counts == {FileStatus.NORMALIZED: len(due)}
    assert "Put a model in force with the DAG cannon_training" in told(workspace).verdict.sentence
    model = train_model(workspace, workspace.settings.training_set, training)
    accept_model(workspace, model, "test")
    outdated = told(workspace)
    assert outdated.counts == {FileStatus.OUTDATED: len(due)}
    assert "The DAG cannon_reanalysis infers them by the model in force" in outdated.verdict.sentence
    again = Nightly(workspace, FIRST, model, "again")
    for path in again.list():
        again.analyse(path)
    again.publish()
    assert told(workspace).verdict.is_done


def reject(workspace: Workspace, subject: str, path: str, stage: Stage, reason: Reason) -> None:
    workspace.catalog.rejections.record(
        RejectionRecord(
            subject=subject, path=path, stage=stage, reason=reason, message=f"{path}: why", reader_version=_reader()
        )
    )


def _reader() -> str:
    from apogee_labels.apogee.spectra.apstar import READER_VERSION

    return READER_VERSION


def test_what_is_rejected_by_another_name_than_its_content(
    workspace: Workspace, survey: SyntheticSurvey, identities: ResultIdentities
) -> None:
    run = Nightly(workspace, FIRST, None)
    due = run.list()
    run.publish()
    assert told(workspace).counts == {FileStatus.FAILED: len(due)}
    digests = {path: str(file.digest) for path, file in workspace.catalog.archive.indexed(due).items()}
    impossible, missing, other = due[:3]
    reject(
        workspace,
        identities(digests[impossible], None).normalization_id,
        impossible,
        Stage.NORMALIZE,
        Reason.NO_CONTINUUM,
    )
    reject(workspace, subject_of_path(missing), missing, Stage.READ, Reason.MISSING)
    reject(
        workspace, identities(digests[impossible], None).normalization_id[::-1], other, Stage.NORMALIZE, Reason.EMPTY
    )
    status = told(workspace)
    by_path = {file.path: file for file in status.files}
    assert (by_path[impossible].reason, by_path[impossible].message) == (Reason.NO_CONTINUUM, "why")
    assert by_path[missing].reason == Reason.MISSING
    assert by_path[other].status is FileStatus.FAILED
    assert status.counts == {FileStatus.REJECTED: 2, FileStatus.FAILED: len(due) - 2}
    found_again = workspace.catalog.archive.indexed([missing])[missing]
    workspace.catalog.archive.index([type(found_again)(**{
        name: getattr(found_again, name) for name in type(found_again).__slots__ if name != "scanned_at"
    })])  # fmt: skip
    assert told(workspace).counts[FileStatus.REJECTED] == 1, "something was found at the path since"


def test_files_that_are_written_or_gone(workspace: Workspace, survey: SyntheticSurvey, model_id: str) -> None:
    run = Nightly(workspace, FIRST, model_id)
    due = run.list()
    run.publish()
    workspace.catalog.archive.mark_gone(due)
    assert told(workspace).counts == {FileStatus.GONE: len(due)}
    assert told(workspace).verdict.sentence == "Done: the night had no files."
    entry = workspace.catalog.archive.indexed(due[:1])[due[0]]
    values = {name: getattr(entry, name) for name in type(entry).__slots__} | {"state": FileState.WRITING}
    workspace.catalog.archive.index([type(entry)(**values)])
    assert told(workspace).verdict.sentence.startswith("Not done: 1 being written. Wait until they are whole")


def test_an_empty_night_that_was_looked_at_is_done(workspace: Workspace) -> None:
    run = Nightly(workspace, 59300, None)
    run.list()
    assert "has not published: wait for it" in told(workspace, 59300).verdict.sentence
    run.publish()
    assert told(workspace, 59300).verdict.sentence == "Done: the night had no files."


def test_a_night_that_is_not_over_is_not_missed(workspace: Workspace) -> None:
    before_its_end = observatory(TELESCOPE).interval(59300)[1] - timedelta(seconds=1)
    sentence = night_status(workspace, TELESCOPE, 59300, now=before_its_end).verdict.sentence
    assert sentence == "Not done: the night is not over before 2021-03-27 16:48 UTC."


def test_an_overview_has_both_telescopes_newest_first(workspace: Workspace, survey: SyntheticSurvey) -> None:
    for telescope in OBSERVATORIES:
        list_night(
            workspace,
            NightKey(telescope, FIRST, "r"),
            ResultIdentities.nightly(workspace.settings.continuum_regions),
            None,
        )
    nights = [row.night for row in nights_overview(workspace, FIRST, SECOND)]
    assert nights == [(name, mjd) for mjd in (SECOND, FIRST) for name in sorted(OBSERVATORIES)]
    (row, *_) = nights_overview(workspace, SECOND, SECOND, ["lco25m"])
    assert row.night == ("lco25m", SECOND)
    assert row.as_json()["evening"] == "2021-03-07"


def test_a_telescope_that_is_not_known_is_said(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="expected apo25m or lco25m"):
        night_status(workspace, "keck", FIRST)


def test_every_state_has_a_meaning_a_name_and_an_advice() -> None:
    run = RunOfNight(
        telescope=TELESCOPE, mjd=FIRST, run_id="r", model_id=None, listed_at=NOW, published_at=NOW, summary=None
    )
    assert set(MEANING) == set(NAMES) == set(NIGHT_STATUSES)
    for status in NIGHT_STATUSES:
        for runs in ([], [run]):
            judged = night_verdict(Night(TELESCOPE, FIRST), Counter({status: 2}), runs, NOW)
            closed = status in (FileStatus.DONE, FileStatus.REJECTED, FileStatus.GONE)
            assert judged.is_done == (closed and bool(runs))
            assert judged.sentence.endswith(".")
