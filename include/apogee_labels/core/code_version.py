"""Which code made a product: the project's version and a digest of its source.

It is no part of any identity: there the versions of the methods count, which people raise when a method gives
something else.  This one changes with every line, and says from which tree of files a product came.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from apogee_labels import __version__
from apogee_labels.core.identity import SHORT

PACKAGE = Path(__file__).resolve().parent.parent


@cache
def code_version() -> str:
    """Return the version of this code, e.g. ``0.5.0+3fa9c1d2e4b7``; computed once a process.

    Two installations with the same files have the same one, wherever they lie.  A file that was changed while the process
    runs is not looked at again: a process runs what it has loaded.
    """
    return f"{__version__}+{digest_of_source(PACKAGE)[:SHORT]}"


def digest_of_source(package: Path) -> str:
    """SHA-256 over the names and the contents of all Python files of a package, in the order of their names.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(package).as_posix(), path) for path in package.rglob("*.py")):
        total.update(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {name}\n".encode())
    return total.hexdigest()
