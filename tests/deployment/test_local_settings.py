"""What is preloaded in the parents of tasks, nowhere else, and without a trace in the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.compose import PROJECT_ROOT

SCRIPT = """
import json, os, sys
sys.argv = json.loads(sys.argv[1])
before = dict(os.environ)
import airflow_local_settings as settings
print(json.dumps({
    "loaded": [name for name in settings.SCIENCE_STACK if name in sys.modules],
    "ours": [name for name in sys.modules if name.split(".")[0] in ("apogee_labels", "apogee_airflow", "airflow")],
    "airflow": [name for name in sys.modules if name.split(".")[0] == "airflow"],
    "same": dict(os.environ) == before,
    "exported": settings.__all__,
    "all": list(settings.SCIENCE_STACK),
}))
"""


def start(*arguments: str, path: Path | None = None) -> dict[str, Any]:
    folders = [str(folder) for folder in (path, PROJECT_ROOT / "config") if folder]
    environment = {name: value for name, value in os.environ.items() if name not in ("SAS_BASE_DIR", "TREE_DIR")}
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(["/bin/airflow", *arguments])],
        env=environment | {"PYTHONPATH": os.pathsep.join(folders)},
        text=True,
        capture_output=True,
        timeout=60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


@pytest.mark.parametrize("command", [("scheduler",), ("celery", "worker", "--queues", "default")], ids=" ".join)
def test_parents_of_tasks_load_the_stack_and_our_code(command: tuple[str, ...]) -> None:
    seen = start(*command)
    assert seen["loaded"] == seen["all"]
    assert "apogee_labels.pipeline.analysis.infer" in seen["ours"]
    assert seen["airflow"] == [], "it is being imported when it imports this"
    assert seen["same"] is True


@pytest.mark.parametrize(
    "command",
    [("api-server",), ("triggerer",), ("dag-processor",), ("celery", "flower"), ("dags", "list"), ()],
    ids=" ".join,
)
def test_other_processes_stay_small(command: tuple[str, ...]) -> None:
    seen = start(*command)
    assert (seen["loaded"], seen["ours"]) == ([], [])


def test_package_that_cannot_be_imported_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").write_text("raise ImportError('broken')\n")
    seen = start("scheduler", path=tmp_path)
    assert "numpy" in seen["loaded"]
    assert "scipy.optimize" not in seen["loaded"]


def test_airflow_s_settings_are_given_the_hook_and_nothing_else() -> None:
    assert start("scheduler")["exported"] == ["task_instance_mutation_hook"]
