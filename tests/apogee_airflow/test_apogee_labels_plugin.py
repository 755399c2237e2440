"""What the plugin registers, and what it costs a process that only runs tasks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
IN_A_TASK = """
import json, sys
from airflow.sdk.execution_time import macros, task_runner
from airflow import plugins_manager
from airflow.sdk.plugins_manager import integrate_macros_plugins

integrate_macros_plugins()  # before a template is rendered
plugins_manager.get_timetables_plugins()  # when a DAG is read back
plugins_manager.get_operator_extra_links()
from apogee_airflow import PublishNightOperator
found = [name for name in sys.modules if name.startswith(("apogee_airflow.web.", "airflow.api_fastapi.core_api.security"))]
names = sorted(name for name in vars(macros.apogee_labels) if name[0] != "_")
print(json.dumps({"web": found, "macros": names}))
"""
IN_THE_API_SERVER = """
import json
from airflow import plugins_manager
(app,) = plugins_manager.get_fastapi_plugins()[0]
views = plugins_manager._get_ui_plugins()[0]
print(json.dumps({"app": [app["name"], app["url_prefix"], type(app["app"]).__name__], "views": views}))
"""
IN_A_CHECKOUT = """
import importlib.metadata, json, sys
if sys.argv[1:] == ["not installed"]:
    others = importlib.metadata.distribution
    def distribution(name):
        if name == "apogee-labels":
            raise importlib.metadata.PackageNotFoundError(name)
        return others(name)
    importlib.metadata.distribution = distribution
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
print(json.dumps([[str(plugin.source) for plugin in plugins if plugin.name == "apogee_labels"], list(errors)]))
"""

pytestmark = pytest.mark.slow


def answer(code: str, *arguments: str) -> Any:
    """What a process of its own prints last."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_task_gets_the_macros_and_does_not_import_the_pages() -> None:
    """Airflow's security layer, which the pages need, costs a task about two seconds."""
    found = answer(IN_A_TASK)
    assert found["web"] == []
    assert found["macros"] == ["logical_date", "mjd_of_evening", "observing_date", "sdss_mjd"]


def test_the_api_server_gets_the_pages_and_their_place_in_the_menu() -> None:
    found = answer(IN_THE_API_SERVER)
    assert found["app"] == ["APOGEE nights", "/apogee", "FastAPI"]
    views = [(view["name"], view["href"], view["category"]) for view in found["views"]]
    assert views == [("Nights", "/apogee/nights", "browse"), ("Models", "/apogee/models", "browse")]


def test_it_is_registered_once_by_its_entry_point_and_where_there_is_none_by_the_folder() -> None:
    (found,), errors = answer(IN_A_CHECKOUT)
    assert (found.partition("==")[0], errors) == ("apogee-labels", [])
    (found,), _ = answer(IN_A_CHECKOUT, "not installed")
    assert found == "$PLUGINS_FOLDER/apogee_labels_plugin.py"
