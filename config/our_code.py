"""Our own modules, imported once in the parents of tasks, and imported anew in a task when a file has changed since.

A task of one file spends more time on importing the project than on the file.  But its parents live for days, and it must
not run the code of the day they started: so each new process compares the files with what they were, some hundred `stat`
calls, and forgets the modules when one has changed.  Then it is as slow as it would be without this.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path

PACKAGE = "include"
MODULES = (
    "include.pipeline.normalize",
    "include.pipeline.infer",
    "include.pipeline.publish",
    "include.pipeline.workspace",
    "include.apogee.fits_content",
    "include.cannon.inference",
    "include.cannon.label_hull",
    "include.cannon.model",
    "include.cannon.normalized",
)
"""What the tasks of a night import, with all that these import themselves; none of it imports Airflow."""

Stamp = tuple[int, int]
_stamps: dict[str, Stamp | None] = {}


def preload_our_code() -> None:
    """Import :data:`MODULES`, remember their files, and have every process that is forked from here compare them."""
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    _stamps.update({path: _stamp(path) for path in _files()})
    with contextlib.suppress(ImportError):
        _prepare()
    os.register_at_fork(after_in_child=forget_changed_code)


def _prepare() -> None:
    """Do what each process of ours does once, and what needs neither the catalogue nor a thread."""
    from include.apogee.releases import release_layout
    from include.cannon.product_file import prepare_templates
    from include.cannon.threads import find_libraries
    from include.settings import Settings

    find_libraries()
    prepare_templates()
    with contextlib.suppress(ValueError):  # settings that are wrong are for the task to tell of
        release_layout(Settings().release)


def forget_changed_code() -> bool:
    """Drop all modules of the package from this process when a file of theirs has changed: whether one has."""
    changed = any(_stamp(path) != before for path, before in _stamps.items())
    if changed:
        for name in _modules():
            del sys.modules[name]
        _stamps.clear()  # what is imported from now on is of now
    return changed


def _modules() -> list[str]:
    return [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]


def _files() -> set[str]:
    return {file for name in _modules() if (file := getattr(sys.modules[name], "__file__", None))}


def _stamp(path: str) -> Stamp | None:
    """Time stamp and size of a file; None when it is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
