"""The visits of a star, as the primary header of its apStar file describes them, and the night of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from apogee_labels.apogee.archive.names import parse_visit_name
from apogee_labels.apogee.archive.nights import MJD_EPOCH, site_of
from apogee_labels.apogee.spectra.masks import StarFlag
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.fits.content import Cards

_JD_OF_MJD_ZERO = 2400000.5
_PLAUSIBLE_MJDS = range(40_000, 100_000)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One visit of a star.

    Parameters
    ----------
    number
        Its number in the header, from 1.
    row
        Its row in the arrays of the file; None when it left no spectrum there (no velocity, no good pixel).
    mjd
        SDSS MJD of its night.
    jd
        Julian date of its middle, UTC.
    fiber
        Fibre number, 1 to 300.
    snr
        Median signal-to-noise ratio per pixel.
    starflag
        Flags of this visit.
    file
        Name of its apVisit file.
    velocity
        Barycentric velocity in km/s (VHELIOn up to DR17, VRADn in SDSS-V).
    """

    number: int
    row: int | None
    mjd: int
    jd: float | None
    fiber: int | None
    snr: float | None
    starflag: StarFlag
    file: str | None
    velocity: float | None = None


def read_visits(cards: Cards, telescope: str | None) -> Iterator[Visit]:
    """Read the visits that a primary header describes, in order; the telescope serves where a file's name says nothing.

    Raises
    ------
    BadInputError
        WRONG_LAYOUT: a visit is described whose night cannot be told.
    """
    number = 1
    while any(f"{keyword}{number}" in cards for keyword in ("SFILE", "JD", "DATE")):
        velocity = cards.number(f"VHELIO{number}")
        yield Visit(
            number=number,
            row=None,
            mjd=_night(cards, number, telescope),
            jd=cards.number(f"JD{number}"),
            fiber=cards.integer(f"FIBER{number}"),
            snr=cards.number(f"SNRVIS{number}"),
            starflag=read_flag(cards, f"FLAG{number}"),
            file=cards.text(f"SFILE{number}"),
            velocity=cards.number(f"VRAD{number}") if velocity is None else velocity,
        )
        number += 1


def read_flag(cards: Cards, keyword: str) -> StarFlag:
    """Read the flags of a keyword; a negative value is a writer's mark of "not set"."""
    return StarFlag(max(0, cards.integer(keyword) or 0))


def _night(cards: Cards, number: int, telescope: str | None) -> int:
    """SDSS MJD of a visit: from the name of its file, else from its time and the observatory's day turn."""
    name = parse_visit_name(cards.text(f"SFILE{number}") or "")
    if name is not None:
        return name.mjd
    site = site_of(telescope)
    for moment in (_moment_of_jd(cards.number(f"JD{number}")), _moment_of_date(cards.text(f"DATE{number}"))):
        if moment is not None and (mjd := site.mjd(moment)) in _PLAUSIBLE_MJDS:
            return mjd
    raise BadInputError(
        Reason.WRONG_LAYOUT,
        f"expected the night of visit {number} in SFILE{number} or JD{number}, "
        f"got {cards.text(f'SFILE{number}')!r} and {cards.text(f'JD{number}')!r}.",
    )


def _moment_of_jd(jd: float | None) -> datetime | None:
    mjd = math.nan if jd is None else jd - _JD_OF_MJD_ZERO
    if not _PLAUSIBLE_MJDS.start <= mjd < _PLAUSIBLE_MJDS.stop:
        return None
    return datetime.combine(MJD_EPOCH, time(), UTC) + timedelta(days=mjd)


def _moment_of_date(date: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(date or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.year > MJD_EPOCH.year and moment.tzinfo is None else None
