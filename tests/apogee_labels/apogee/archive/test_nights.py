"""Nights against sdsstools' formula away from the seams, and exactly at the seams."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from apogee_labels.apogee.archive.nights import OBSERVATORIES, Observatory, date_of_mjd, mjd_of_date, observatory

APO, LCO = OBSERVATORIES["apo25m"], OBSERVATORIES["lco25m"]
SITES = [APO, LCO]
OFFSETS = {"apo25m": 0.3, "lco25m": 0.4}
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.telescope)
def test_it_is_the_formula_of_sdsstools_away_from_the_seams(site: Observatory) -> None:
    rng = np.random.default_rng(1)
    for days in rng.uniform(50_000, 70_000, 5000):
        if abs((days + OFFSETS[site.telescope] + 0.5) % 1 - 0.5) > 1e-6:
            moment = datetime(1858, 11, 17, tzinfo=UTC) + timedelta(days=float(days))
            assert site.mjd(moment) == int(days + OFFSETS[site.telescope])


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.telescope)
def test_every_seam_of_fifty_years_is_exact(site: Observatory) -> None:
    for mjd in range(51_544, 51_544 + 18_263):
        start, end = site.interval(mjd)
        assert site.mjd(start) == mjd == site.mjd(end - timedelta(microseconds=1))
        assert site.mjd(end) == mjd + 1
        assert site.mjd_of_interval_start(start) == mjd


@pytest.mark.parametrize(
    ("site", "moment", "mjd"),
    [
        (APO, datetime(2021, 3, 6, 16, 48, tzinfo=UTC), 59280),
        (APO, datetime(2021, 3, 6, 16, 47, 59, tzinfo=UTC), 59279),
        (LCO, datetime(2021, 3, 6, 14, 24, tzinfo=UTC), 59280),
        (LCO, datetime(2021, 3, 6, 14, 23, 59, tzinfo=UTC), 59279),
        (APO, datetime(2000, 1, 1, 6, tzinfo=UTC), 51544),
    ],
)
def test_known_moments(site: Observatory, moment: datetime, mjd: int) -> None:
    assert site.mjd(moment) == mjd


@pytest.mark.parametrize(
    "evening",
    [
        date(2024, 2, 28),
        date(2024, 2, 29),
        date(2023, 12, 31),
        date(2024, 3, 9),  # clocks go forward in Denver during the night
        date(2024, 11, 2),  # and back
        date(2024, 4, 6),  # clocks go back in Santiago
        date(2024, 9, 7),  # and forward
        date(2020, 6, 30),
    ],
)
@pytest.mark.parametrize("site", SITES, ids=lambda site: site.telescope)
def test_a_night_is_one_mjd_from_evening_to_morning(site: Observatory, evening: date) -> None:
    zone = ZoneInfo(site.timezone)
    mjd = site.mjd_of_local_date(evening)
    dusk = datetime(evening.year, evening.month, evening.day, 17, 30, tzinfo=zone)
    morning = evening + timedelta(days=1)
    dawn = datetime(morning.year, morning.month, morning.day, 8, 0, tzinfo=zone)
    assert site.mjd(dusk) == site.mjd(dawn) == mjd
    assert site.local_date(mjd) == evening
    assert mjd == mjd_of_date(morning)


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.telescope)
def test_local_dates_and_mjds_are_one_to_one(site: Observatory) -> None:
    for mjd in range(58_000, 60_500):
        assert site.mjd_of_local_date(site.local_date(mjd)) == mjd


def test_the_time_zone_of_a_moment_does_not_matter() -> None:
    moment = datetime(2021, 3, 6, 16, 48, tzinfo=UTC)
    for zone in (ZoneInfo("America/Denver"), ZoneInfo("Pacific/Kiritimati"), timezone(timedelta(hours=-11))):
        assert APO.mjd(moment.astimezone(zone)) == 59280
        assert APO.mjd_of_interval_start(moment.astimezone(zone)) == 59280


def test_intervals_are_in_utc_and_join() -> None:
    assert APO.interval(59280) == (datetime(2021, 3, 6, 16, 48, tzinfo=UTC), datetime(2021, 3, 7, 16, 48, tzinfo=UTC))
    assert APO.interval(59280)[1] == APO.interval(59281)[0]


@pytest.mark.parametrize("ask", [APO.mjd, APO.mjd_of_interval_start])
def test_a_moment_without_time_zone_is_refused(ask: Callable[[datetime], int]) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        ask(datetime(2021, 3, 6, 16, 48))


def test_a_start_that_no_night_has_is_refused() -> None:
    start = APO.interval(59280)[0] + SECOND
    with pytest.raises(ValueError, match="begins at 16:48 UTC"):
        APO.mjd_of_interval_start(start)


def test_an_unknown_telescope_is_named_with_the_known_ones() -> None:
    assert observatory("lco25m") is LCO
    with pytest.raises(ValueError, match="'hst' is not known: expected apo25m or lco25m"):
        observatory("hst")


def test_an_mjd_without_a_date_is_refused() -> None:
    assert date_of_mjd(0) == date(1858, 11, 17)
    with pytest.raises(ValueError, match="no calendar date"):
        date_of_mjd(10**8)
