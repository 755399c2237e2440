"""What is written about a night: the first line says what to do, and nothing is claimed that is not known."""

from __future__ import annotations

import doctest
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from apogee_airflow.notifiers import messages
from apogee_airflow.notifiers.messages import Findings, NightRun, Notice, failed_night, late_night
from apogee_labels.catalog.records import FileStatus, Listing, NightFile

URL = "http://localhost:8080/dags/apogee_nightly_apo25m/runs/a_run"
RUN = NightRun(
    telescope="apo25m", mjd=59280, dag_id="apogee_nightly_apo25m", run_id="a_run", run_type="scheduled", url=URL
)
FILES = tuple(NightFile(path=f"/sas/{i}.fits", digest=None, state=FileStatus.DUE) for i in range(3))


def listing(**summary: Any) -> Listing:
    when = datetime(2021, 3, 7, tzinfo=UTC)
    night = {"telescope": "apo25m", "mjd": 59280, "run_id": "a_run", "model_id": None}
    return Listing(**night, files=FILES, listed_at=when, summary=summary or None)  # type: ignore[arg-type]


def first_line(notice: Notice) -> str:
    return notice.text.splitlines()[0]


def test_the_examples_are_true() -> None:
    assert doctest.testmod(messages) == doctest.TestResults(failed=0, attempted=1)


def test_a_failed_night_in_full() -> None:
    summary = {"listed": 3, "done": 1, "rejected": 1, "unfinished": 1, "no_model": 0, "already_complete": 0}
    states = {
        "publish_night": "failed",
        "normalize_2": "failed",
        "infer_2": "upstream_failed",
        "normalize_0": "success",
    }
    notice = failed_night(RUN, Findings(listing=listing(**summary), states=states))
    assert notice.subject == "[APOGEE] FAILED: apo25m, evening of 2021-03-06 (SDSS MJD 59280)"
    assert notice.text == (
        "1 of 3 files have neither a result nor a rejection.  Read the log of normalize_2, remove the cause, then clear the "
        "run's failed tasks: what is done already is not done again.\n"
        "\n"
        "Night: apo25m, evening of 2021-03-06 (SDSS MJD 59280)\n"
        "Files: 3 listed, of which 1 done, 1 rejected, 1 unfinished\n"
        "Tasks: 2 failed, 1 upstream_failed, 1 success\n"
        "Failed: normalize_2, publish_night\n"
        "\n"
        "The run (scheduled): a_run\n"
        f"{URL}"
    )


def test_too_many_rejections_send_people_to_the_reduction() -> None:
    found = Findings(listing=listing(listed=3, rejected=3, unfinished=0), states={"publish_night": "failed"})
    assert first_line(failed_night(RUN, found)).startswith(
        "3 of 3 files were rejected, more than is tolerated: look at"
    )
    listing_failed = replace(found, states={"publish_night": "failed", "list_apstars": "failed"})
    assert first_line(failed_night(RUN, listing_failed)).startswith("Read the log of list_apstars")


def test_a_failure_before_the_summary_says_that_there_is_none() -> None:
    states = {"pin_model": "success", "list_apstars": "failed", "publish_night": "failed"}
    notice = failed_night(RUN, Findings(states=states))
    assert first_line(notice).startswith("Read the log of list_apstars, remove the cause, then clear")
    assert "Files: none listed by this run" in notice.text
    assert "publish_night has not written its summary" in failed_night(RUN, Findings(listing=listing(), states={})).text


def test_what_could_not_be_found_out_is_said() -> None:
    problem = "the night's files (OperationalError: no route to host)"
    found = Findings(states={"infer_1": "failed"}, catalogue_read=False, problems=[problem])
    text = failed_night(RUN, found).text
    assert f"Not known: {problem}" in text
    assert "listed" not in text, "an unread catalogue says nothing about the listing"
    nameless = replace(RUN, mjd=None)
    assert failed_night(nameless, found).subject == "[APOGEE] FAILED: apo25m, run a_run"


@pytest.mark.parametrize(
    ("states", "listed", "begins"),
    [
        (
            {"wait_for_apstars": "deferred", "list_apstars": None},
            False,
            "Its files have not come, or still change: ask",
        ),
        ({"wait_for_apstars": "success", "list_apstars": "up_for_retry"}, False, "Read the log of list_apstars"),
        ({"list_apstars": "success", "normalize_0": "scheduled"}, True, "See in the run below"),
        ({}, False, "See in the run below"),
    ],
)
def test_a_late_night_says_what_it_waits_for(states: dict[str, str | None], listed: bool, begins: str) -> None:
    notice = late_night(RUN, Findings(listing=listing() if listed else None, states=states), 18.0)
    assert notice.subject.startswith("[APOGEE] NOT DONE after 18 hours: apo25m, evening of 2021-03-06")
    assert first_line(notice).startswith(begins)


def test_many_tasks_are_not_all_named() -> None:
    found = Findings(listing=listing(), states={f"normalize_{i:02}": "failed" for i in range(30)})
    assert "Failed: normalize_00, " in failed_night(RUN, found).text
    assert "normalize_09 and 20 more" in failed_night(RUN, found).text


def test_as_html_it_keeps_its_lines_and_cannot_be_anything_but_text() -> None:
    text = Notice("subject", f"a <b>star</b>\n{URL}").as_html()
    assert text == f'<pre>a &lt;b&gt;star&lt;/b&gt;\n<a href="{URL}">{URL}</a></pre>'
