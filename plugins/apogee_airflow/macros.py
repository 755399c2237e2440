"""Nights in templates: ``{{ macros.apogee_labels.sdss_mjd(data_interval_start, "apo25m") }}``.

The plugin registers these functions; in every template of every DAG they are ``macros.apogee_labels.<name>``.
"""

from __future__ import annotations

from datetime import date, datetime

from apogee_labels.apogee.archive.nights import observatory


def sdss_mjd(moment: datetime, telescope: str) -> int:
    """Return the SDSS MJD that a moment belongs to; of a run's ``data_interval_start``, the run's own night.

    >>> from datetime import UTC
    >>> sdss_mjd(datetime(2021, 3, 6, 16, 48, tzinfo=UTC), "apo25m")
    59280
    """
    return observatory(telescope).mjd(moment)


def observing_date(mjd: int | str, telescope: str) -> date:
    """Return the local date of the evening on which a night begins.

    >>> observing_date(59280, "apo25m").isoformat()
    '2021-03-06'
    """
    return observatory(telescope).local_date(int(mjd))


def logical_date(mjd: int | str, telescope: str) -> datetime:
    """Return the logical date of a night's runs, which is the start of their data interval, in UTC.

    >>> logical_date(59280, "lco25m").isoformat()
    '2021-03-06T14:24:00+00:00'
    """
    return observatory(telescope).interval(int(mjd))[0]


def mjd_of_evening(evening: date | str, telescope: str) -> int:
    """Return the SDSS MJD of the night that begins on the evening of a local date (a date, or ``2021-03-06``).

    >>> mjd_of_evening("2021-03-06", "apo25m")
    59280
    """
    day = evening if isinstance(evening, date) else date.fromisoformat(evening)
    return observatory(telescope).mjd_of_local_date(day)


MACROS = (sdss_mjd, observing_date, logical_date, mjd_of_evening)
"""What the plugin registers."""
