"""Our own modules, imported once in the parents of tasks, and imported anew in a task when a file has changed since.

A task of one file spends more time on importing the project than on the file.  But its parents live for days, and it must
not run the code of the day they started: so each new process compares the files with what they were, some hundred `stat`
calls, and forgets the modules when one has changed.  Then it is as slow as it would be without this.

It brings 320 ms of CPU time a task (560 in a process that imports the operators too), for 2 ms of comparing (``make
bench-own``).  In an image, whose files cannot change, the comparing finds nothing; it is not worth a switch.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGES = ("apogee_labels", "apogee_airflow")
MODULES = (
    "apogee_labels.pipeline.analysis.normalize",
    "apogee_labels.pipeline.analysis.infer",
    "apogee_labels.pipeline.nights.publish",
    "apogee_labels.pipeline.workspace",
    "apogee_labels.fits.content",
    "apogee_labels.cannon.inference.inference",
    "apogee_labels.cannon.inference.label_hull",
    "apogee_labels.cannon.model",
    "apogee_labels.cannon.io.normalized",
)
"""What the tasks of a night import, with all that these import themselves; none of it imports Airflow."""

OPERATORS = (
    "apogee_airflow.analysis",
    "apogee_airflow.notifiers.notify",
    "apogee_airflow.operators.fetch_night",
    "apogee_airflow.operators.infer",
    "apogee_airflow.operators.models",
    "apogee_airflow.operators.nights",
    "apogee_airflow.operators.normalize",
    "apogee_airflow.sensors.apstar",
)
"""What the file of the nightly DAG imports.  All of it imports Airflow, and so must wait until Airflow is there."""

Stamp = tuple[int, int]
_stamps: dict[str, Stamp | None] = {}
_inherited: set[str] = set()
"""Modules that are here because we imported them; what Airflow's plugin loader holds is not ours to forget."""


def preload_our_code() -> None:
    """Import :data:`MODULES`, remember their files, and have every process that is forked from here compare them.

    :data:`OPERATORS` follow before the first process is forked.
    """
    _import(MODULES)
    with contextlib.suppress(ImportError):
        _prepare()
    os.register_at_fork(before=_preload_operators, after_in_child=forget_changed_code)


@cache
def _preload_operators() -> None:
    """Import :data:`OPERATORS`, once."""
    _import(OPERATORS)


def _import(names: Iterable[str]) -> None:
    """Import modules, and remember what came with them."""
    before = set(sys.modules)
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    _inherited.update(name for name in sys.modules.keys() - before if name.partition(".")[0] in PACKAGES)
    _stamps.update({path: _stamp(path) for path in _files() - _stamps.keys()})


def _files() -> set[str]:
    """The files of what is loaded and, because the code's version counts them, all others of `include`."""
    loaded = {file for name in _ours() if (file := getattr(sys.modules[name], "__file__", None))}
    package = getattr(sys.modules.get(PACKAGES[0]), "__file__", None)
    return loaded | ({str(path) for path in Path(package).parent.rglob("*.py")} if package else set())


def _ours() -> list[str]:
    """Modules that are forgotten together: all of `include`, and of the plugin's package what we imported."""
    return [name for name in sys.modules if name in _inherited or name.partition(".")[0] == PACKAGES[0]]


def _prepare() -> None:
    """Do what each process of ours does once, and what needs neither the catalogue nor a thread."""
    from apogee_labels.apogee.archive.releases import release_layout
    from apogee_labels.cannon.continuum.normalization import prepare_designs
    from apogee_labels.cannon.io.normalized import prepare_headers
    from apogee_labels.cannon.threads import find_libraries
    from apogee_labels.core.code_version import code_version
    from apogee_labels.core.settings import Settings
    from apogee_labels.pipeline.analysis.model_cache import preload_newest

    code_version()
    find_libraries()
    prepare_headers()
    with contextlib.suppress(ValueError, OSError):  # settings that are wrong are for the task to tell of
        settings = Settings()
        release_layout(settings.release)
        prepare_designs(settings.continuum_regions)
        preload_newest(settings.data_dir / "models")


def forget_changed_code() -> bool:
    """Drop what was imported of our packages from this process when a file of theirs has changed: whether one has."""
    changed = any(_stamp(path) != before for path, before in _stamps.items())
    if changed:
        for name in _ours():
            del sys.modules[name]
        _stamps.clear()  # what is imported from now on is of now
    return changed


def _stamp(path: str) -> Stamp | None:
    """Time stamp and size of a file; None when it is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
