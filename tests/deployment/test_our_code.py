"""Our own code in the parents of tasks: inherited as long as it is of now, and imported anew when it is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.compose import PROJECT_ROOT

SCRIPT = """
import importlib, json, os, sys
import our_code
our_code.preload_our_code()
exec(sys.argv[1])
reader, writer = os.pipe()
if os.fork() == 0:
    ours = [name for name in sys.modules if name.partition(".")[0] == "apogee_labels"]
    inherited = ["apogee_labels.cannon.model" in sys.modules, "apogee_airflow.operators.infer" in sys.modules]
    from apogee_labels.core.identity import SHORT
    os.write(writer, json.dumps([len(ours), SHORT, *inherited]).encode())
    os._exit(0)
os.close(writer)
os.wait()
print(os.read(reader, 1000).decode())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is imported, to change."""
    for folder in ("include", "config", "plugins"):
        shutil.copytree(PROJECT_ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def child_of_a_parent(checkout: Path, meanwhile: str) -> list[Any]:
    """What a process has that is forked after `meanwhile` was run in its parent: modules, a constant, model, operator."""
    path = os.pathsep.join(str(checkout / folder) for folder in ("include", "config", "plugins"))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, meanwhile],
        env=os.environ | {"PYTHONPATH": path}, cwd=checkout, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    answer: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_task_inherits_what_its_parent_has_imported(checkout: Path) -> None:
    n_modules, short, has_model, has_operator = child_of_a_parent(checkout, "pass")
    assert n_modules > 50
    assert (short, has_model, has_operator) == (12, True, True)


@pytest.mark.parametrize(
    "change",
    [
        "path = 'include/apogee_labels/core/identity.py'; "
        "text = open(path).read(); open(path, 'w').write(text.replace('= 12', '= 9'))",
        "os.utime('include/apogee_labels/cannon/model.py', (1, 1))",
        "os.remove('include/apogee_labels/pipeline/nights/publish.py')",
        "our_code._preload_operators(); os.utime('plugins/apogee_airflow/operators/infer.py', (1, 1))",
        "os.utime('include/apogee_labels/simulation/survey.py', (1, 1))",
    ],
    ids=["changed", "touched", "removed", "operator", "touched, and not loaded"],
)
def test_a_task_runs_the_code_of_now(checkout: Path, change: str) -> None:
    n_modules, short, *inherited = child_of_a_parent(checkout, change)
    assert (n_modules, inherited) == (0, [False, False]), "one part of our code must not be older than another"
    assert short == (9 if "= 9" in change else 12)
