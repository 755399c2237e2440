"""How people see a task instance named in the grid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_STAR = re.compile(r"(?:2M|AP)?\d{8}[+-]\d{7}")


def star_of(path: str | Path) -> str:
    """Return the star in an apStar file's name, or the name itself where there is none.

    >>> star_of("/sas/apStar-r12-2M16505794-2118004.fits")
    '2M16505794-2118004'
    """
    name = Path(path).name
    found = _STAR.search(name)
    return found.group() if found else name.removesuffix(".fits")


def subject_of(stars: Sequence[str]) -> str:
    """Return the name of a single star, or how many files from which star on.

    >>> subject_of(["2M16505794-2118004", "2M17000000-2118004"])
    '2 files from 2M16505794-2118004'
    """
    if len(stars) == 1:
        return stars[0]
    return f"{len(stars)} files from {stars[0]}" if stars else "no files"
