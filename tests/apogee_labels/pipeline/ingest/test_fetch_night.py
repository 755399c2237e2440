"""A night's files that are known but not here come from the server."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from apogee_labels.apogee.download import fetch_many
from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import Stage, subject_of_path
from apogee_labels.core.errors import Reason
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.ingest.fetch_night import fetch_night, nothing_fetched
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.nights.night import look_at_night
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticStar, SyntheticSurvey
from tests.support.archive_server import Remote

MJD = 59280
APO = "apo25m"


@pytest.fixture
def night(survey: SyntheticSurvey) -> list[SyntheticStar]:
    """The stars of the night."""
    last = survey.nights[-1]
    return [star for star in survey.stars if star.telescope == APO and MJD in survey.visits(star, last)]


@pytest.fixture
def emptied(
    workspace: Workspace, survey: SyntheticSurvey, night: list[SyntheticStar], remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workspace]:  # fmt: skip
    """An installation whose night was here once and is gone, and that may fetch from `remote`."""
    monkeypatch.setattr(fetch_many, "FIRST_PAUSE", 0.0)
    scan_archive(workspace, APO)
    for star in night:
        survey.path(star).unlink()
    settings = Settings(data_dir=workspace.settings.data_dir, remote_base=remote.base)
    with Workspace.open(settings) as opened:
        yield opened


def counts(**others: int) -> dict[str, int]:
    return nothing_fetched() | others


def test_what_is_known_and_not_here_comes(
    emptied: Workspace, survey: SyntheticSurvey, night: list[SyntheticStar], remote: Remote
) -> None:
    assert fetch_night(emptied, APO, MJD) == counts(expected=len(night), fetched=len(night))
    assert look_at_night(emptied, APO, MJD).n_files == len(night)
    remote.asked.clear()
    assert fetch_night(emptied, APO, MJD) == counts(expected=len(night), was_here=len(night))
    assert remote.asked == []


def test_what_the_server_does_not_have_is_on_record_and_no_error(
    emptied: Workspace, survey: SyntheticSurvey, night: list[SyntheticStar], remote: Remote,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    absent, bad = (survey.path(star) for star in night[:2])
    del remote.files[f"/sas/{absent.relative_to(survey.root)}"]
    remote.files[f"/sas/{bad.relative_to(survey.root)}"] = b"<html>"
    found = fetch_night(emptied, APO, MJD)
    assert found == counts(expected=len(night), fetched=len(night) - 2, not_at_remote=1, bad=1)
    subjects = {subject_of_path(str(path)): path for path in (absent, bad)}
    rejections = emptied.catalog.rejections.find(subjects, READER_VERSION)
    assert {(subjects[each.subject], each.reason, each.stage) for each in rejections.values()} == {
        (absent, Reason.NOT_AT_REMOTE, Stage.FETCH), (bad, Reason.UNREADABLE, Stage.FETCH),
    }  # fmt: skip
    assert f"{night[0].obj}: {remote.base}" in caplog.text, "the log names what is missing"


def test_trouble_is_raised_after_the_others_and_the_next_call_finds_them_here(
    emptied: Workspace, survey: SyntheticSurvey, night: list[SyntheticStar], remote: Remote
) -> None:
    remote.statuses = [503] * fetch_many.TRIES
    with pytest.raises(OSError, match=rf"1 of {len(night)} files that are not here failed \(2M.*HTTP 503"):
        fetch_night(emptied, APO, MJD, parallel=1)
    n_here = sum(survey.path(star).exists() for star in night)
    assert n_here == len(night) - 1
    assert fetch_night(emptied, APO, MJD) == counts(expected=len(night), fetched=1, was_here=n_here)


def test_a_refusal_is_for_a_person_but_first_what_may_pass(
    emptied: Workspace, night: list[SyntheticStar], remote: Remote
) -> None:
    remote.statuses = [401, *[503] * fetch_many.TRIES]
    with pytest.raises(OSError, match="failed") as caught:
        fetch_night(emptied, APO, MJD, parallel=1)
    assert not isinstance(caught.value, PermissionError)
    remote.statuses = [403]
    with pytest.raises(PermissionError, match=r"1 of 2 files that are not here refused .*\.netrc"):
        fetch_night(emptied, APO, MJD, parallel=1)


def test_no_list_and_nothing_gone_is_said(
    workspace: Workspace, remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert fetch_night(workspace, APO, MJD) == nothing_fetched()
    assert "there is no list of expected stars: set APOGEE_LABELS_VISIT_SUMMARY" in caplog.text
    assert remote.asked == []
