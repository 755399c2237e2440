"""The nights as people type them; that the lines make exactly the nights is in tests/acceptance/test_mjd_agreement.py."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest

from apogee_labels.pipeline.workspace import Workspace
from tests.support.command import call, output_of


def lines(*arguments: str) -> list[str]:
    return output_of("nights", *arguments).splitlines()


def test_a_night_is_shown_by_all_its_names() -> None:
    heading, apo, lco = lines("show", "2021-03-06")
    assert heading.split("  ")[0] == "telescope"
    assert apo.split() == [
        "apo25m", "59280", "2021-03-06", "America/Denver", "2021-03-06T16:48:00+00:00", "2021-03-07T16:48:00+00:00",
        "scheduled__2021-03-06_mjd59280", "backfill__2021-03-07T16:48:00+00:00",
    ]  # fmt: skip
    assert "2021-03-06T14:24:00+00:00" in lco
    assert len(lines("show", "59280-59286", "--telescope", "lco25m")) == 8


def test_a_line_for_each_stretch_of_nights_with_the_options_of_airflow() -> None:
    options = ("--reprocess-behavior", "completed", "--max-active-runs", "3", "--dag-run-conf", '{"a b": 1}')
    note, *commands = lines(
        "backfill", "59280-59282", "59285", "--telescope", "apo25m", *options, "--run-backwards", "--dry-run"
    )
    assert note.startswith("# apo25m: one backfill of a DAG at a time")
    assert [shlex.split(command) for command in commands] == [
        ["airflow", "backfill", "create", "--dag-id", "apogee_nightly_apo25m", "--from-date", first, "--to-date", last,
         *options, "--run-backwards", "--dry-run"]
        for first, last in (
            ("2021-03-06T16:48:00+00:00", "2021-03-08T16:48:00+00:00"),
            ("2021-03-11T16:48:00+00:00", "2021-03-11T16:48:00+00:00"),
        )
    ]  # fmt: skip


def test_nights_that_are_not_over_are_left_out_and_said_so() -> None:
    note, command = lines("backfill", "59280", "99998-99999", "--telescope", "lco25m")
    assert note == "# lco25m: MJD 99998 to 99999 are not over yet: a backfill leaves it out."
    assert "2021-03-06T14:24:00+00:00" in command
    result = call("nights", "backfill", "99999")
    assert result.exit_code == 1
    assert "nothing to backfill" in result.stderr


def test_airflow_is_called_as_it_is_here() -> None:
    (command,) = lines("backfill", "59280", "--telescope", "apo25m", "--airflow", "apogee-labels local airflow")
    assert command.startswith("apogee-labels local airflow backfill create --dag-id")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["backfill", "59280", "--max-active-runs", "0"],
        ["backfill", "59280", "--dag-run-conf", "[]"],
        ["backfill", "59280", "--dag-run-conf", "{"],
        ["backfill", "59280", "--reprocess-behavior", "all"],
        ["show", "59280", "--telescope", "keck"],
    ],
)
def test_options_that_airflow_would_not_take_are_refused(arguments: list[str]) -> None:
    assert call("nights", *arguments).exit_code == 2


def test_what_names_no_night_is_one_line_and_a_code() -> None:
    result = call("nights", "show", "soon")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: 'soon' names no night")


def test_why_a_night_is_not_done(workspace: Workspace, listed_night: Callable[[], str]) -> None:
    name = listed_night()
    first, verdict, *rest = lines("why", "apo25m", "59280")
    assert first == "apo25m, SDSS MJD 59280, evening of 2021-03-06 (America/Denver); no model in force"
    assert "Run scheduled__x listed its files at" in verdict
    assert any(name in line and "under way" in line for line in rest)
    told = json.loads("\n".join(lines("why", "apo25m", "59280", "--json")))
    assert (told["done"], told["counts"]["under_way"] > 0) == (False, True)
    heading, *rows = lines("why", "apo25m", "59280-59281")
    assert heading.split()[0] == "telescope"
    assert [row.split()[1] for row in rows] == ["59281", "59280"]
    assert len(json.loads("\n".join(lines("why", "apo25m", "59280-59281", "--json")))) == 2
    summary = {"drift": {"stands_out": ["the S/N is low"]}}
    workspace.catalog.nights.record_publication("apo25m", 59280, "scheduled__x", summary)
    assert "! This night stands out: the S/N is low" in lines("why", "apo25m", "59280")
    assert "Stands out: " in lines("why", "apo25m", "59280-59281")[-1]
