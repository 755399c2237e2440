"""The keys of an apStar file: what SDSS's archive files it under."""

from __future__ import annotations

from dataclasses import dataclass, fields

from apogee_labels.apogee.archive.names import SAFE_NAME
from apogee_labels.apogee.archive.nights import OBSERVATORIES, site_of


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
