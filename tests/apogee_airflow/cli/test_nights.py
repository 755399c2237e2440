"""The command as people type it; that its lines make exactly the nights is in tests/acceptance/test_mjd_agreement.py."""

from __future__ import annotations

import doctest
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pendulum
import pytest
from airflow.timetables.base import DataInterval
from airflow.utils.types import DagRunType

from apogee_airflow import ListApStarsOperator, ObservingNightTimetable, PublishNightOperator
from apogee_airflow.cli.nights import backfill, main
from apogee_airflow.cli.translation import NightNames
from apogee_labels.apogee.archive.nights import OBSERVATORIES, observatory
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.nights.night_status import nightly_identities
from apogee_labels.pipeline.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(arguments) == 0
    return capsys.readouterr().out.splitlines()


def test_a_night_is_shown_by_all_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    heading, apo, lco = lines(capsys, "show", "2021-03-06")
    assert heading.split("  ")[0] == "telescope"
    assert apo.split() == [
        "apo25m", "59280", "2021-03-06", "America/Denver", "2021-03-06T16:48:00+00:00", "2021-03-07T16:48:00+00:00",
        "scheduled__2021-03-06_mjd59280", "backfill__2021-03-07T16:48:00+00:00",
    ]  # fmt: skip
    assert "2021-03-06T14:24:00+00:00" in lco
    assert len(lines(capsys, "show", "59280-59286", "--telescope", "lco25m")) == 8


@pytest.mark.parametrize("telescope", OBSERVATORIES)
def test_ids_of_runs_are_those_that_airflow_gives(telescope: str) -> None:
    site = observatory(telescope)
    for mjd in (59287, 59308, 59525):
        start, end = map(pendulum.instance, site.interval(mjd))
        interval = DataInterval(start, end)
        given = ObservingNightTimetable(telescope).generate_run_id(
            run_type=DagRunType.SCHEDULED, run_after=end, data_interval=interval
        )
        assert NightNames(site, mjd).scheduled_run == given
        assert NightNames(site, mjd).backfill_run == DagRunType.BACKFILL_JOB.generate_run_id(suffix=end.isoformat())


def test_a_line_for_each_stretch_of_nights_with_the_options_of_airflow(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--reprocess-behavior", "completed", "--max-active-runs", "3", "--dag-run-conf", '{"a b": 1}')
    note, *commands = lines(
        capsys, "backfill", "59280-59282", "59285", "--telescope", "apo25m", *options, "--run-backwards", "--dry-run"
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


def test_nights_that_are_not_over_are_left_out_and_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    note, command = lines(capsys, "backfill", "59280", "99998-99999", "--telescope", "lco25m")
    assert note == "# lco25m: MJD 99998 to 99999 are not over yet: a backfill leaves it out."
    assert "2021-03-06T14:24:00+00:00" in command
    assert main(["backfill", "99999"]) == 1
    assert "nothing to backfill" in capsys.readouterr().err


def test_the_example_of_stretches_is_true() -> None:
    assert doctest.testmod(backfill) == doctest.TestResults(failed=0, attempted=1)
    assert list(backfill.stretches([])) == []
    _, end = observatory("apo25m").interval(59281)
    assert backfill.finished(observatory("apo25m"), [59280, 59281], end) == ([59280], [59281])


def test_airflow_is_called_as_it_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = lines(
        capsys, "backfill", "59280", "--telescope", "apo25m", "--airflow", "python -m apogee_local airflow"
    )
    assert command.startswith("python -m apogee_local airflow backfill create --dag-id")


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
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_what_names_no_night_is_one_line_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "soon"]) == 1
    assert capsys.readouterr().err.startswith("nights: 'soon' names no night")


def test_why_a_night_is_not_done(
    installation: Settings, workspace: Workspace, capsys: pytest.CaptureFixture[str], listed_night: Callable[[], str]
) -> None:
    name = listed_night()
    first, verdict, *rest = lines(capsys, "why", "apo25m", "59280")
    assert first == "apo25m, SDSS MJD 59280, evening of 2021-03-06 (America/Denver); no model in force"
    assert "Run scheduled__x listed its files at" in verdict
    assert any(name in line and "under way" in line for line in rest)
    told = json.loads("\n".join(lines(capsys, "why", "apo25m", "59280", "--json")))
    assert (told["done"], told["counts"]["under_way"] > 0) == (False, True)
    heading, *rows = lines(capsys, "why", "apo25m", "59280-59281")
    assert heading.split()[0] == "telescope"
    assert [row.split()[1] for row in rows] == ["59281", "59280"]
    assert len(json.loads("\n".join(lines(capsys, "why", "apo25m", "59280-59281", "--json")))) == 2
    summary = {"drift": {"stands_out": ["the S/N is low"]}}
    workspace.catalog.record_publication("apo25m", 59280, "scheduled__x", summary)
    assert "! This night stands out: the S/N is low" in lines(capsys, "why", "apo25m", "59280")
    assert "Stands out: " in lines(capsys, "why", "apo25m", "59280-59281")[-1]


def test_it_is_quick_because_it_imports_neither_airflow_nor_the_science() -> None:
    code = (
        "import sys; from apogee_airflow.cli.nights import main; main(['show', '59280']); "
        "sys.stderr.write(' '.join({'airflow', 'numpy', 'astropy', 'sqlalchemy'} & set(sys.modules)))"
    )
    path = str(ROOT)
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.stderr == ""
    assert datetime.fromisoformat("2021-03-06T16:48:00+00:00").isoformat() in done.stdout


def test_done_is_by_the_parameters_of_the_nightly_dags(installation: Settings) -> None:
    for operator in (ListApStarsOperator, PublishNightOperator):
        task = operator(task_id="t", telescope="apo25m", model_id="")
        with Workspace.open(installation) as workspace:
            assert task.identities(workspace) == nightly_identities(installation)
