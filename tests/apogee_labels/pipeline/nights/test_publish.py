"""A night's summary as people read it, and when a person must act."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from apogee_labels.catalog.records import FileStatus, NightFileOutcome, NightOutcome
from apogee_labels.core.errors import Reason
from apogee_labels.pipeline.nights.publish import SHOWN, NightSummary


def summary(model_id: str | None = "f" * 64, **counts: int) -> NightSummary:
    """A summary with so many files of each outcome."""
    files = tuple(
        NightFileOutcome(
            path=f"/sas/{name}-{number}.fits",
            digest=None,
            outcome=FileStatus[name],
            reason=Reason.UNREADABLE if name == "REJECTED" else None,
            message="cut short" if name == "REJECTED" else "",
        )
        for name, count in counts.items()
        for number in range(count)
    )
    outcome = NightOutcome(telescope="apo25m", mjd=59281, run_id="r", model_id=model_id, files=files)
    return NightSummary(outcome, date(2021, 3, 7), "America/Denver", Path("/data/night.fits"), 5)


def test_it_says_which_night_and_what_became_of_its_files() -> None:
    assert summary(COMPLETE=2, DONE=3, REJECTED=1).lines() == [
        "===== Night summary: apo25m, SDSS MJD 59281, evening of 2021-03-07 (America/Denver) =====",
        "Listed 6 file(s), with model ffffffffffff, of which:",
        "* 2 already complete: no work was done for them",
        "* 3 done",
        "* 1 rejected",
        "    - REJECTED-0.fits: unreadable: cut short",
        "Table: /data/night.fits (5 star(s))",
        "===== This night is done =====",
    ]


@pytest.mark.parametrize(
    ("night", "verdict"),
    [
        (summary(), "This night had no files"),
        (summary(COMPLETE=2), "This night was done already: nothing was to do"),
        (summary(COMPLETE=2, REJECTED=1), "This night was done already: nothing was to do"),
        (summary(COMPLETE=2, DONE=1), "This night is done"),
        (summary(None, NORMALIZED=1), "This night is done"),
        (summary(DONE=9, FAILED=1), "This night is not done"),
    ],
)
def test_its_last_line_is_the_verdict(night: NightSummary, verdict: str) -> None:
    assert night.lines()[-1] == f"===== {verdict} ====="


def test_it_says_that_there_is_no_model() -> None:
    lines = summary(None, NORMALIZED=2).lines()
    assert lines[1] == "Listed 2 file(s), with no model in force, of which:"
    assert lines[2] == "* 2 normalised, waiting for a model"


def test_unfinished_files_are_named_with_what_to_do() -> None:
    lines = summary(FAILED=1).lines()
    assert "* 1 unfinished: clear their failed tasks, or see the tasks' logs" in lines
    assert "    - FAILED-0.fits" in lines


@pytest.mark.parametrize(("count", "named"), [(SHOWN, SHOWN), (SHOWN + 3, SHOWN)])
def test_a_long_list_is_cut(count: int, named: int) -> None:
    lines = summary(REJECTED=count).lines()
    assert sum(line.startswith("    - REJECTED") for line in lines) == named
    assert (f"    - and {count - named} more" in lines) == (count > named)


@pytest.mark.parametrize(
    ("night", "share", "fault"),
    [
        (summary(), 0.0, None),
        (summary(DONE=10), 0.0, None),
        (summary(None, NORMALIZED=10), 0.0, None),
        (summary(DONE=5, REJECTED=5), 0.5, None),  # the share is tolerated, more is not
        (summary(DONE=4, REJECTED=5), 0.5, "5 of 9 files were rejected"),
        (summary(DONE=9, REJECTED=1), 0.0, "1 of 10 files were rejected"),
        (summary(REJECTED=3), 1.0, None),
        (summary(DONE=9, FAILED=1), 1.0, "1 of 10 files have neither a result nor a rejection"),
        (summary(REJECTED=9, FAILED=1), 0.0, "neither a result nor a rejection"),
    ],
)
def test_a_person_must_act_when(night: NightSummary, share: float, fault: str | None) -> None:
    found = night.fault(max_rejected_share=share)
    assert found is None if fault is None else fault in (found or "")


def test_the_counts_are_plain_values() -> None:
    """They go into a JSON column and an XCom: every outcome is there, by its stored name."""
    import json

    counts = summary(DONE=3, REJECTED=1).as_json()
    assert json.loads(json.dumps(counts)) == counts
    assert counts == {
        "telescope": "apo25m", "mjd": 59281, "evening": "2021-03-07", "model_id": "f" * 64, "listed": 4, "done": 3,
        "already_complete": 0, "rejected": 1, "no_model": 0, "unfinished": 0, "made_twice": 0,
        "table": "/data/night.fits", "stars": 5, "drift": None,
    }  # fmt: skip
