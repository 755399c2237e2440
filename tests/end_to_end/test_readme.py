"""What the README tells its reader to run is run here, to the letter."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from apogee_local.environment import COMMAND
from tests.end_to_end.conftest import SERVING, LocalRun

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def environment(local_run: LocalRun) -> dict[str, str]:
    return os.environ | {
        "APOGEE_LABELS_DATA_DIR": str(local_run.installation.data_dir),
        "AIRFLOW_PORT": str(local_run.installation.port),
    }


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    commands = blocks("sh")[0].splitlines()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert [line.split()[:2] for line in commands] == [["make", "run"], ["make", "test"]]
    assert {"run", "test", "lint", "clean", "help"} <= targets


def test_the_notebook_example_runs(local_run: LocalRun) -> None:
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], env=environment(local_run), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "TEFF" in done.stdout


def run_line(local_run: LocalRun, text: str, *options: str) -> str:
    """Run the one line of the README that has a text, for the installation of the test; returns what it prints."""
    (line,) = (line for block in blocks("sh") for line in block.splitlines() if text in line)
    program, local, *arguments = shlex.split(line, comments=True)
    assert (program, local) == (".venv/bin/apogee-labels", "local")
    folders = ["--home", str(local_run.installation.home), "--data", str(local_run.installation.data_dir)]
    done = subprocess.run(
        [COMMAND, local, *folders, *arguments, *options],
        env=environment(local_run), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_backfill_line_is_accepted_and_selects_three_nights(local_run: LocalRun) -> None:
    assert SERVING in local_run.output
    said = run_line(local_run, "backfill create", "--dry-run", "--reprocess-behavior", "completed")
    assert re.findall(r"2021-03-(\d\d) 16:48:00", said) == ["06", "07", "08"], said


def test_the_lineage_of_a_star_is_told(local_run: LocalRun) -> None:
    assert "\nTraining set\n" in run_line(local_run, " lineage ")


def test_every_setting_is_in_the_table() -> None:
    from apogee_labels.core.settings import PREFIX, Settings

    named = set(re.findall(rf"\| `({PREFIX}\w+|SAS_BASE_DIR)` \|", README))
    assert named == {PREFIX + name.upper() for name in Settings.model_fields if name != "sas_base_dir"} | {
        "SAS_BASE_DIR"
    }


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
