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
from dataclasses import dataclass, fields
from typing import NamedTuple

from apogee_labels.apogee.archive.nights import OBSERVATORIES, site_of, telescope_of_prefix

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
        telescope = match["telescope"] or telescope_of_prefix(match["kind"])
        return VisitName(int(match["mjd"]), match["apred"], telescope)
    if match := _VISIT_1M.fullmatch(name):
        return VisitName(int(match["mjd"]), match["apred"], "apo1m")
    return None


@dataclass(frozen=True, kw_only=True)
class ApStarKeys:
    """The keys of one apStar file, each checked, so that no key can lead out of an archive.

    Parameters
    ----------
    release
        SDSS release, such as ``dr17`` or ``sdss5``.
    apred
        Version of the reduction, such as ``r12`` or ``1.3``.
    telescope
        Such as ``apo25m`` (:data:`apogee_labels.apogee.archive.nights.OBSERVATORIES`) or ``apo1m``.
    obj
        Name of the star, such as ``2M16505794-2118004``.
    apstar
        Kind of combination; ``stars`` in all public releases from DR12.
    field
        Field of the plate, such as ``000+14``; DR12 to DR17.
    prefix
        First letters of the file's name, ``ap`` or ``as``; by default what the telescope has up to DR17.
    healpix
        HEALPix number (nside 128), from DR19 and in SDSS-V.

    Raises
    ------
    ValueError
        A key is not of the form that such keys have.
    """

    release: str
    apred: str
    telescope: str
    obj: str
    apstar: str = "stars"
    field: str | None = None
    prefix: str | None = None
    healpix: int | None = None

    def __post_init__(self) -> None:
        for key in fields(self):
            value = getattr(self, key.name)
            if key.name == "healpix":
                _check_healpix(value)
            elif value is not None or key.name not in ("field", "prefix"):
                _check_name(key.name, value)
        prefixes = sorted({site.sdss_prefix for site in OBSERVATORIES.values()})
        if self.prefix not in (None, *prefixes):
            raise ValueError(f"prefix {self.prefix!r} is not one that SDSS uses: expected {' or '.join(prefixes)}.")

    def values(self) -> dict[str, str | int | None]:
        """Give each key's value by its name in sdss_access's templates, the prefix filled in."""
        prefix = self.prefix or site_of(self.telescope).sdss_prefix
        group = None if self.healpix is None else self.healpix // 1000
        return {
            "apred": self.apred,
            "apstar": self.apstar,
            "telescope": self.telescope,
            "field": self.field,
            "prefix": prefix,
            "obj": self.obj,
            "healpix": self.healpix,
            "healpixgrp": group,
        }


def _check_name(key: str, value: object) -> None:
    if not isinstance(value, str) or not SAFE_NAME.fullmatch(value):
        raise ValueError(
            f"{key} {value!r} cannot be part of a path: expected letters, digits, '.', '_', '+' and '-', "
            "beginning with a letter or digit."
        )


def _check_healpix(value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise ValueError(f"healpix {value!r} is not a HEALPix number: expected an integer of 0 or more.")
