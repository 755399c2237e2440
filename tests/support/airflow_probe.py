"""Run in a process of its own: what Airflow itself says of the environment and the commands that it is given.

Standard input: a JSON list of command lines, without the leading ``airflow``.  Standard output, last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.exceptions import AirflowConfigException
from airflow.executors.executor_loader import ExecutorLoader
from airflow.providers_manager import ProvidersManager


def problem_of(setting: str) -> str | None:
    """Say what is wrong with ``AIRFLOW__SECTION__KEY``: unknown, deprecated or of another type."""
    section, key = setting.removeprefix("AIRFLOW__").lower().split("__", 1)
    option = conf.configuration_description.get(section, {}).get("options", {}).get(key)
    if option is None:
        return f"{setting} is not in Airflow's configuration"
    # Some booleans are described as strings: their defaults tell.
    kind = "boolean" if option.get("default") in ("True", "False") else option.get("type")
    getters: dict[str, Callable[[str, str], Any]] = {
        "boolean": conf.getboolean,
        "integer": conf.getint,
        "float": conf.getfloat,
    }
    try:
        getters.get(kind, conf.get)(section, key)
    except (ValueError, AirflowConfigException) as error:
        return f"{setting}: {error}"
    return None


def unknown(command: list[str]) -> bool:
    """Tell whether Airflow's command line refuses a command."""
    try:
        get_parser().parse_args(command)
    except (SystemExit, argparse.ArgumentError):
        return True
    return False


def main() -> None:
    """Answer on standard output."""
    ProvidersManager().initialize_providers_configuration()
    settings = sorted(name for name in os.environ if name.startswith("AIRFLOW__"))
    executor = ExecutorLoader.load_executor(ExecutorLoader.get_default_executor_name())
    answer = {
        "problems": [problem for problem in map(problem_of, settings) if problem],
        "executor": type(executor).__name__,
        "auth_manager": conf.getimport("core", "auth_manager").__name__,
        "unknown_commands": [command for command in json.load(sys.stdin) if unknown(command)],
    }
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
