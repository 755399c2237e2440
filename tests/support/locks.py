"""The lock files and what they were made from, as names and pins."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.compose import PROJECT_ROOT

LOCK = PROJECT_ROOT / "requirements.txt"
DEV_LOCK = PROJECT_ROOT / "requirements-dev.txt"
PIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*==[A-Za-z0-9.!+]+(?: ; \S.*)?")
DIRECTIVE = re.compile(r"-[cr] requirements[a-z-]*\.(?:in|txt)")


def pins(path: Path) -> dict[tuple[str, str], str]:
    """Read a lock: the version by name and environment marker.

    Raises
    ------
    ValueError
        A line that is neither a comment nor an exact pin, with its number.
    """
    found: dict[tuple[str, str], str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if not PIN.fullmatch(line):
            raise ValueError(f"{path.name}:{number}: expected name==version [; marker], got {line!r}: run make lock")
        requirement = Requirement(line)
        found[canonicalize_name(requirement.name), str(requirement.marker or "")] = str(requirement.specifier)[2:]
    return found


def wanted(path: Path) -> list[Requirement]:
    """Read an .in file: what the project asks for."""
    lines = (line.split(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#") and not DIRECTIVE.fullmatch(line)]


def version_of(name: str, path: Path = LOCK) -> str:
    """Return the one version that a lock has of a package."""
    (version,) = {version for (found, _), version in pins(path).items() if found == name}
    return version
