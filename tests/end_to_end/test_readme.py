"""What README and the pages of docs/ tell their reader to run is run here, to the letter."""

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
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def command_line(page: str, word: str) -> list[str]:
    """The one line of a page's shell blocks that has the word, in parts, its comment left out."""
    (line,) = (line for block in blocks(page, "sh") for line in block.splitlines() if word in line)
    return shlex.split(line, comments=True)


def environment(local_run: LocalRun) -> dict[str, str]:
    return os.environ | {
        "APOGEE_LABELS_DATA_DIR": str(local_run.installation.data_dir),
        "AIRFLOW_PORT": str(local_run.installation.port),
    }


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    commands = blocks("README.md", "sh")[0].splitlines()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert [line.split()[:2] for line in commands] == [["make", "run"], ["make", "test"]]
    assert {"run", "test", "lint", "docs", "coverage", "clean", "help"} <= targets


def test_the_notebook_example_runs(local_run: LocalRun) -> None:
    (example,) = blocks("docs/notebook.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", example], env=environment(local_run), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "TEFF" in done.stdout


def test_the_backfill_line_is_accepted_and_selects_three_nights(local_run: LocalRun) -> None:
    assert SERVING in local_run.output
    command, local, *arguments = command_line("docs/nights.md", "backfill create")
    assert (command, local) == (".venv/bin/apogee-labels", "local")
    folders = ["--home", str(local_run.installation.home), "--data", str(local_run.installation.data_dir)]
    done = subprocess.run(
        [COMMAND, local, *folders, *arguments, "--dry-run", "--reprocess-behavior", "completed"],
        env=environment(local_run), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.findall(r"2021-03-(\d\d) 16:48:00", done.stdout) == ["06", "07", "08"], done.stdout


@pytest.mark.parametrize(
    ("page", "word", "told"),
    [
        ("docs/tutorial.md", " lineage ", "\nTraining set\n"),
        ("docs/nights.md", " nights show ", "59281"),
        ("docs/nights.md", " nights backfill ", "backfill create"),
        ("docs/nights.md", " nights why ", "59282"),
    ],
)
def test_the_command_answers(local_run: LocalRun, page: str, word: str, told: str) -> None:
    command, *arguments = command_line(page, word)
    assert command == ".venv/bin/apogee-labels"
    done = subprocess.run(
        [COMMAND, *arguments],
        env=environment(local_run), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
