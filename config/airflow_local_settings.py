"""What Airflow takes from us when it starts: the science stack, imported once, and who goes first.

Airflow imports this module in each of its processes.  A task runs in a process that is forked from the scheduler
(LocalExecutor) or from a Celery worker, and what the parent has imported costs the child nothing.  Without this every task
imports numpy, scipy, astropy and sdss_access anew, which takes longer than the work on one file.

So is our own code, with a guard: the parents live for days, and a task must not run the code of the day they started
(`our_code`).  The hook for precedence imports the little that it needs when it is first called, in the scheduler and the API
server.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.models import DagRun, TaskInstance

__all__ = ["task_instance_mutation_hook"]  # Airflow would copy every public name of this module into its own settings

SCIENCE_STACK = (
    "numpy",
    "scipy.linalg",
    "scipy.optimize",
    "astropy.io.fits",
    "astropy.table",
    "astropy.time",
    "sqlalchemy",
    "sdss_access.path",
    # Small, and yet what every task imports when it parses its DAG file and opens the catalogue (25 ms together).
    "pydantic_settings",
    "packaging.requirements",  # of Airflow's standard operators
    "threadpoolctl",
    "psycopg2",  # where the catalogue is in PostgreSQL
    "jinja2.ext",
)
"""What tasks import; ``make bench-night`` shows what it saves.  Not plotly, alembic or scipy.stats: few tasks need them."""


def forks_tasks(arguments: list[str]) -> bool:
    """Tell by its command line whether a process is the parent of tasks.

    Parameters
    ----------
    arguments
        The command line, as in ``sys.argv``.

    Returns
    -------
    bool
        True for ``airflow scheduler`` and ``airflow celery worker``; the others would only grow by what they never use.
    """
    return arguments[1:2] == ["scheduler"] or arguments[1:3] == ["celery", "worker"]


def preload(modules: tuple[str, ...] = SCIENCE_STACK) -> list[str]:
    """Import modules, and leave the environment as it was.

    Parameters
    ----------
    modules
        Dotted names; one that cannot be imported is left to the task that needs it, which can say so better.

    Returns
    -------
    list of str
        The names that were imported.
    """
    environment, excepthook = dict(os.environ), sys.excepthook
    loaded = []
    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
            loaded.append(name)
    # sdss_access sets SAS_BASE_DIR and a hundred more when it is imported, and every task would inherit them as settings.
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    sys.excepthook = excepthook  # sdss_access paints tracebacks: a scheduler's log is to be plain text
    return loaded


def task_instance_mutation_hook(task_instance: TaskInstance, dag_run: DagRun | None) -> None:
    """Let the nights of the schedule go before a backfill's; without its run, Airflow asks again when it knows it."""
    if dag_run is not None:
        from apogee_airflow.priorities import place

        place(task_instance, dag_run)


if forks_tasks(sys.argv):
    from our_code import preload_our_code

    preload()
    preload_our_code()
