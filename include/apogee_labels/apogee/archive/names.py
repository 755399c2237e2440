"""The names of APOGEE's files, and what they tell: the star, the reduction, the telescope and the night of a visit.

============  ==========================================================  ======================================
file          name                                                        used by
============  ==========================================================  ======================================
star          ``apStar-{apred}-{obj}.fits``, ``asStar-...`` at LCO        DR12 to DR17
star          ``apStar-{apred}-{telescope}-{obj}.fits``                   SDSS-V; a versioned copy adds ``-{mjd}``
visit         ``apVisit-{apred}-{plate}-{mjd}-{fiber}.fits``              DR12 to DR17; ``asVisit-...`` at LCO
visit         ``apVisit-{apred}-{telescope}-{plate}-{mjd}-{fiber}.fits``  SDSS-V
visit         ``apVisit-{apred}-{mjd}-{reduction}.fits``                  the 1 m telescope at APO (``apo1m``)
============  ==========================================================  ======================================
"""

from __future__ import annotations

import re
from typing import NamedTuple

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", re.ASCII)
"""What a key of a path may look like: no separator, no leading dot, nothing a shell or a URL would change."""

_TELESCOPE = r"[a-z]{3}[0-9]+m"
_STAR = re.compile(rf"a[ps]Star-(?P<apred>[^-]+)-(?:(?P<telescope>{_TELESCOPE})-)?(?P<obj>.+)\.fits")
_VERSIONED = re.compile(r"(?P<obj>.+)-(?P<mjd>\d{5})")
_VISIT = re.compile(
    rf"(?P<kind>a[ps])Visit-(?P<apred>[^-]+)-(?:(?P<telescope>{_TELESCOPE})-)?"
    r"(?P<plate>[^-]+)-(?P<mjd>[456789]\d{4})-(?P<fiber>\d+)\.fits"
)
_VISIT_1M = re.compile(r"apVisit-(?P<apred>[^-]+)-(?P<mjd>[456789]\d{4})-(?P<reduction>.+)\.fits")


class StarName(NamedTuple):
    """What the name of an apStar file tells."""

    obj: str
    apred: str | None
    telescope: str | None


class VisitName(NamedTuple):
    """What the name of an apVisit file tells."""

    mjd: int
    apred: str
    telescope: str


def parse_star_name(name: str) -> StarName:
    """Read the name of an apStar file; a name that is none gives the whole stem as the star's."""
    match = _STAR.fullmatch(name)
    if match is None:
        return StarName(name.removesuffix(".fits"), None, None)
    obj = match["obj"] if match["telescope"] is None else without_version(match["obj"])
    return StarName(obj, match["apred"], match["telescope"])


def is_star_name(name: str) -> bool:
    """Whether a file's name is that of an apStar file; a hidden or temporary one is not."""
    return _STAR.fullmatch(name) is not None


def without_version(obj: str) -> str:
    """Give the star's own name, without the MJD that SDSS-V's versioned copies add to it."""
    match = _VERSIONED.fullmatch(obj)
    return obj if match is None else match["obj"]


def parse_visit_name(name: str) -> VisitName | None:
    """Read the name of an apVisit file; None for a name that does not hold the night's MJD."""
    if match := _VISIT.fullmatch(name):
        telescope = match["telescope"] or ("lco25m" if match["kind"] == "as" else "apo25m")
        return VisitName(int(match["mjd"]), match["apred"], telescope)
    if match := _VISIT_1M.fullmatch(name):
        return VisitName(int(match["mjd"]), match["apred"], "apo1m")
    return None
