"""The command as a whole: what it lists, how a fault is said, and what it needs no Airflow for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from apogee_labels import __version__
from apogee_labels.cli import Commands, main
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support.command import call, output_of

WITHOUT_AIRFLOW = """
import sys
sys.modules["airflow"] = None
from apogee_labels.cli import main
main(sys.argv[1:], prog_name="apogee-labels")
"""


def test_help_lists_every_command_in_a_sentence() -> None:
    listed = {
        line.split()[0]: line.split()[1:] for line in output_of("--help").partition("Commands:\n")[2].splitlines()
    }
    assert set(listed) == {
        "catalog", "lineage", "local", "nights", "plots", "pools", "regions", "retention", "run", "serve", "simulate",
        "stars", "training-sets",
    }  # fmt: skip
    assert all(listed.values())
    assert output_of("--version").split() == ["apogee-labels,", "version", __version__]


def test_every_option_of_every_command_has_a_help() -> None:
    for name in main.list_commands(context := main.make_context("apogee-labels", [], resilient_parsing=True)):
        command = main.get_command(context, name)
        assert command is not None
        for each in [command, *getattr(command, "commands", {}).values()]:
            assert each.help, f"{name} {each.name}"


@pytest.mark.parametrize("arguments", [["--help"], ["nights", "show", "59280"], ["run", "--help"]])
def test_it_is_quick_because_it_imports_neither_airflow_nor_the_science(arguments: list[str]) -> None:
    code = (
        f"import sys; from apogee_labels.cli import main; main({arguments}, standalone_mode=False); "
        "sys.stderr.write(' '.join({'airflow', 'numpy', 'astropy', 'sqlalchemy', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_command_that_needs_airflow_says_so_where_there_is_none() -> None:
    command = [sys.executable, "-c", WITHOUT_AIRFLOW]
    done = subprocess.run([*command, "pools"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: this command needs Apache Airflow: ")
    assert "Traceback" not in done.stderr
    assert not subprocess.run([*command, "nights", "show", "59280"], capture_output=True, timeout=60).returncode


def test_a_fault_is_one_line_and_a_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APOGEE_LABELS_CATALOG_URL", "nonsense://nowhere/x")
    result = call("catalog", "create")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no catalogue can be kept by 'nonsense'")
    monkeypatch.delenv("APOGEE_LABELS_CATALOG_URL")
    monkeypatch.setenv("APOGEE_LABELS_DATA_DIR", str(tmp_path))
    assert output_of("catalog", "create") == f"{tmp_path / 'catalog.db'}: up to date\n"
    assert (tmp_path / "catalog.db").is_file()


def test_a_fault_of_the_code_keeps_its_traceback() -> None:
    group = Commands("group")

    @group.command()
    def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        CliRunner().invoke(group, ["broken"], catch_exceptions=False)


def test_products_that_may_go_are_reported_and_deleted(workspace: Workspace) -> None:
    orphan = workspace.settings.data_dir / "normalized" / "00" / f"{'0' * 64}.fits"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"x" * 1000)
    assert "1 kB" in output_of("retention")
    output_of("retention", "--delete", "--leftover-days", "1")
    assert orphan.exists(), "it is not a day old"
    assert call("retention", "--leftover-days", "0.01").exit_code == 1


def test_a_training_set_is_planned_and_made(survey: SyntheticSurvey, workspace: Workspace) -> None:
    workspace.settings.training_set.unlink()
    table = survey.root / "truth.csv"
    options = ("--min-snr", "0", "--label", "FE_H", "--label", "TEFF", "--range", "TEFF", "-inf", "inf")
    planned = output_of("training-sets", "plan", table, *options)
    assert "known FE_H, TEFF" in planned
    assert "LOGG" not in planned, "the ranges that were given take the place of the usual ones"
    made = output_of("training-sets", "make", table, *options)
    assert made.startswith(planned)
    assert f"{Settings().training_set}: 12 stars\n" in made
    assert "12 stars (unchanged)" in output_of("training-sets", "make", table, *options)
    assert "left out: none" in made
    other = workspace.settings.data_dir / "few.npz"
    assert f"{other}: 5 stars" in output_of(
        "training-sets", "make", table, *options, "--max-stars", 5, "--output", other
    )
