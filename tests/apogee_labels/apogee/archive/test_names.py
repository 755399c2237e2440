"""What the names of files tell, in the forms of every release."""

from __future__ import annotations

import pytest

from apogee_labels.apogee.archive.names import (
    SAFE_NAME,
    StarName,
    VisitName,
    parse_star_name,
    parse_visit_name,
    without_version,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("apVisit-r12-5815-56396-212.fits", VisitName(56396, "r12", "apo25m")),
        ("asVisit-dr17-9753-57896-012.fits", VisitName(57896, "dr17", "lco25m")),
        ("apVisit-1.0-apo25m-15303-59280-271.fits", VisitName(59280, "1.0", "apo25m")),
        ("asVisit-1.3-lco25m-15303-59280-271.fits", VisitName(59280, "1.3", "lco25m")),
        ("apVisit-r12-56348-VESTA.fits", VisitName(56348, "r12", "apo1m")),
        ("apVisit-dr17-56348-2M12345678-1234567.fits", VisitName(56348, "dr17", "apo1m")),
        ("apVisit-l31c.2-56348-2M12345678+1234567.fits", VisitName(56348, "l31c.2", "apo1m")),
    ],
)
def test_visits(name: str, expected: VisitName) -> None:
    assert parse_visit_name(name) == expected


@pytest.mark.parametrize(
    "name", ["", "NaN", "apVisit-r12-5815-212.fits", "apVisit-r12-5815-12-212.fits", "x-56396-1.fits"]
)
def test_names_without_a_night(name: str) -> None:
    assert parse_visit_name(name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("apStar-r12-2M16505794-2118004.fits", StarName("2M16505794-2118004", "r12", None)),
        ("asStar-dr17-2M00000002+7417074.fits", StarName("2M00000002+7417074", "dr17", None)),
        ("apStar-1.3-apo25m-2M16505794-2118004.fits", StarName("2M16505794-2118004", "1.3", "apo25m")),
        ("apStar-1.3-lco25m-2M16505794-2118004-59280.fits", StarName("2M16505794-2118004", "1.3", "lco25m")),
        ("star.fits", StarName("star", None, None)),
    ],
)
def test_stars(name: str, expected: StarName) -> None:
    assert parse_star_name(name) == expected


def test_only_a_five_digit_ending_is_a_version() -> None:
    assert without_version("2M16505794-2118004-59280") == "2M16505794-2118004"
    assert without_version("2M16505794-2118004") == "2M16505794-2118004"


@pytest.mark.parametrize("name", ["000+14", "2M16505794-2118004", "M67_RV", "l31c.2", "VESTA"])
def test_safe_names(name: str) -> None:
    assert SAFE_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "a\n", "-x", ".x", "a\0", "é", "x" * 129])
def test_unsafe_names(name: str) -> None:
    assert not SAFE_NAME.fullmatch(name)
