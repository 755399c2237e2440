"""SDSS nights: which MJD a moment belongs to at an observatory, by whole-day arithmetic only.

SDSS counts the nights of an observatory by an MJD of its own that turns in the local forenoon: ``int(MJD_UTC + 0.3)``
at Apache Point and ``int(MJD_UTC + 0.4)`` at Las Campanas (sdsstools, ``get_sjd``), that is at 16:48 and 14:24 UTC the
whole year through.  As a sum of floating-point numbers that is wrong at some of the exact seams; dates and timedeltas
are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MJD_EPOCH = date(1858, 11, 17)
"""The day whose Modified Julian Date is 0."""

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Observatory:
    """A site of APOGEE, and how its nights are counted.

    Parameters
    ----------
    telescope
        Its name in paths and headers, such as ``apo25m``.
    name
        Its name for people.
    timezone
        Its IANA time zone.
    day_turn
        The time of day in UTC at which one SDSS MJD ends and the next begins.
    sdss_prefix
        First letters of its file names up to DR17 (``ap`` or ``as``).
    """

    telescope: str
    name: str
    timezone: str
    day_turn: timedelta
    sdss_prefix: str

    def mjd(self, moment: datetime) -> int:
        """SDSS MJD of the night (or the day after it) that `moment` belongs to.

        Raises
        ------
        ValueError
            `moment` has no time zone.
        """
        _require_aware(moment, "moment")
        return mjd_of_date((moment.astimezone(UTC) - self.day_turn).date()) + 1

    def interval(self, mjd: int) -> tuple[datetime, datetime]:
        """First moment of an SDSS MJD, and the first that is no longer of it; both in UTC."""
        start = datetime.combine(date_of_mjd(mjd) - ONE_DAY, time(), UTC) + self.day_turn
        return start, start + ONE_DAY

    def mjd_of_interval_start(self, start: datetime) -> int:
        """SDSS MJD whose interval begins at `start`.

        Raises
        ------
        ValueError
            `start` has no time zone, or no night of this observatory begins then.
        """
        mjd = self.mjd(start)
        if self.interval(mjd)[0] != start:
            raise ValueError(f"a night of {self.telescope} begins at {self._clock()} UTC, not at {start.isoformat()}.")
        return mjd

    def local_date(self, mjd: int) -> date:
        """Local date of the evening on which the night of an SDSS MJD begins."""
        return self.interval(mjd)[0].astimezone(ZoneInfo(self.timezone)).date()

    def mjd_of_local_date(self, evening: date) -> int:
        """SDSS MJD of the night that begins on the evening of a local date."""
        noon = datetime.combine(evening, time(12), ZoneInfo(self.timezone))
        return self.mjd(noon)

    def _clock(self) -> str:
        return f"{datetime.combine(MJD_EPOCH, time()) + self.day_turn:%H:%M}"


OBSERVATORIES = {
    site.telescope: site
    for site in (
        Observatory(
            telescope="apo25m",
            name="Apache Point Observatory",
            timezone="America/Denver",
            day_turn=timedelta(hours=16, minutes=48),
            sdss_prefix="ap",
        ),
        Observatory(
            telescope="lco25m",
            name="Las Campanas Observatory",
            timezone="America/Santiago",
            day_turn=timedelta(hours=14, minutes=24),
            sdss_prefix="as",
        ),
    )
}
"""The sites by the name of their telescope: with an entry a telescope has paths, nights, a nightly DAG, forms and pages."""

DEFAULT_TELESCOPE = next(iter(OBSERVATORIES))
"""The telescope of what does not say."""

OTHER_TELESCOPES = ("apo1m",)
"""Telescopes with files in the archive, and no nights here."""


def observatory(telescope: str) -> Observatory:
    """Look up the observatory of a telescope.

    Raises
    ------
    ValueError
        No such telescope; the message lists the known ones.
    """
    try:
        return OBSERVATORIES[telescope]
    except KeyError:
        raise ValueError(f"telescope {telescope!r} is not known: expected {' or '.join(OBSERVATORIES)}.") from None


def telescopes() -> list[str]:
    """Return all telescopes with files in the archive."""
    return list(dict.fromkeys([*OBSERVATORIES, *OTHER_TELESCOPES]))


def site_of(telescope: str | None) -> Observatory:
    """Return the site of a telescope which need have no entry: by its first three letters, else the default one."""
    if telescope in OBSERVATORIES:
        return OBSERVATORIES[telescope]
    at = (site for name, site in OBSERVATORIES.items() if name[:3] == (telescope or "")[:3])
    return next(at, OBSERVATORIES[DEFAULT_TELESCOPE])


def telescope_of_prefix(prefix: str) -> str:
    """Return the first telescope whose files' names begin so, up to DR17."""
    return next(name for name, site in OBSERVATORIES.items() if site.sdss_prefix == prefix)


def mjd_of_date(day: date) -> int:
    """Give the Modified Julian Date of a date's midnight."""
    return (day - MJD_EPOCH).days


def date_of_mjd(mjd: int) -> date:
    """Give the date whose midnight has a Modified Julian Date.

    Raises
    ------
    ValueError
        The MJD is none that a calendar of four-digit years can show.
    """
    try:
        return MJD_EPOCH + timedelta(days=mjd)
    except OverflowError:
        raise ValueError(f"MJD {mjd} has no calendar date: expected a number such as 59280.") from None


def _require_aware(moment: datetime, what: str) -> None:
    if moment.utcoffset() is None:
        raise ValueError(f"{what} {moment.isoformat()} has no time zone: give it one, such as UTC.")
