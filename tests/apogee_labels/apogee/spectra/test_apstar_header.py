"""The primary header alone: the keywords of every release, and only the first blocks of the file."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.apogee.spectra import apstar_header
from apogee_labels.apogee.spectra.apstar import read_apstar
from apogee_labels.apogee.spectra.apstar_header import FIRST_READ, ApStarHeader, parse_header, read_header
from apogee_labels.apogee.spectra.masks import StarFlag
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.fits.content import read_cards

NAME = "apStar-dr17-2M16505794-2118004.fits"


def _parse(name: str = NAME, **keywords: object) -> ApStarHeader:
    header = fits.Header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, **keywords})
    return parse_header(read_cards(header.tostring().encode())[0], path=Path("/sas") / name)


@pytest.mark.parametrize(("layout", "n_visits"), [("dr16", 1), ("dr17", 3), ("sdss5", 40)])
def test_the_header_says_what_the_whole_file_says(
    write_apstar: Callable[..., Path], layout: str, n_visits: int
) -> None:
    path = write_apstar(layout=layout, n_visits=n_visits)
    header, star = read_header(path), read_apstar(path)
    for name in ("obj", "telescope", "field", "healpix", "apred", "snr", "ra", "dec", "starflag"):
        assert getattr(header, name) == getattr(star, name)
    assert [(v.number, v.mjd, v.jd, v.fiber, v.snr, v.starflag, v.file, v.velocity) for v in header.visits] == [
        (v.number, v.mjd, v.jd, v.fiber, v.snr, v.starflag, v.file, v.velocity) for v in star.visits
    ]
    assert {visit.row for visit in header.visits} == {None}
    first = header.visits[0]
    assert (first.number, first.mjd, first.fiber, first.snr, first.velocity) == (1, 59281, 201, 51.0, -12.5)
    assert first.starflag is StarFlag.BRIGHT_NEIGHBOR


def test_few_bytes_are_read(write_apstar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def spy(path: Path, n_bytes: int) -> bytes:
        asked.append(n_bytes)
        return path.read_bytes()[:n_bytes]

    monkeypatch.setattr(apstar_header, "read_start", spy)
    read_header(write_apstar(n_visits=3))
    assert asked == [FIRST_READ]
    asked.clear()
    read_header(write_apstar(layout="sdss5", n_visits=60))
    assert asked == [FIRST_READ, 4 * FIRST_READ]
    asked.clear()
    read_header(write_apstar(layout="sdss5", n_visits=60), size_hint=50_000)
    assert asked == [51_840]


def test_no_more_is_read_of_a_damaged_header(
    write_apstar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_apstar(n_visits=3)
    content = path.read_bytes().replace(b"NVISITS =", b"NVISITS 7")
    asked = []
    monkeypatch.setattr(apstar_header, "read_start", lambda _, n_bytes: asked.append(n_bytes) or content[:n_bytes])
    with pytest.raises(BadInputError, match="the header at byte 0"):
        read_header(path)
    assert asked == [FIRST_READ]


def test_a_header_is_read_although_the_data_are_cut_short(write_apstar: Callable[..., Path]) -> None:
    path = write_apstar()
    os.truncate(path, 30_000)
    assert len(read_header(path).visits) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"not FITS", Reason.UNREADABLE),
        (b"x" * 10_000_000, Reason.UNREADABLE),
        (b"SIMPLE  =                    T".ljust(10_000_000), Reason.UNREADABLE),
        (fits.Header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0}).tostring().encode()[:2000], Reason.UNREADABLE),
        (fits.Header({"SIMPLE": True, "NVISITS": 0}).tostring().encode(), Reason.NO_VISITS),
    ],
)
def test_bad_headers(tmp_path: Path, content: bytes, reason: Reason) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="apStar-dr17") as caught:
        read_header(path)
    assert caught.value.reason is reason


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        read_header(tmp_path / "none.fits")
    assert caught.value.reason is Reason.MISSING
    with pytest.raises(BadInputError) as caught:
        read_header(tmp_path)
    assert caught.value.reason is Reason.NOT_A_FILE


@pytest.mark.parametrize(
    ("keywords", "mjd"),
    [
        ({"SFILE1": "apVisit-r12-5815-56396-212.fits", "JD1": 2459281.75}, 56396),
        ({"SFILE1": "apVisit-1.0-apo25m-15303-59280-271.fits"}, 59280),
        ({"SFILE1": "apVisit-r12-56348-2M12345678-1234567.fits"}, 56348),
        ({"SFILE1": "?", "JD1": 2459280.5 + 0.69}, 59280),
        ({"SFILE1": "?", "JD1": 2459280.5 + 0.71}, 59281),
        ({"JD1": 2459280.5 + 0.61, "TELESCOP": "apo25m"}, 59280),
        ({"JD1": 2459280.5 + 0.61, "TELESCOP": "lco25m"}, 59281),
        ({"JD1": "NaN", "DATE1": "2021-03-07T06:00:00.000"}, 59280),
        ({"DATE1": "2021-03-07T16:48:00"}, 59281),
    ],
)
def test_the_night_of_a_visit(keywords: dict[str, object], mjd: int) -> None:
    assert [visit.mjd for visit in _parse(**keywords).visits] == [mjd]


@pytest.mark.parametrize(
    "keywords", [{"JD1": "NaN"}, {"JD1": 1e9}, {"SFILE1": ""}, {"DATE1": "yesterday"}, {"DATE1": "0001-01-01T00:00:00"}]
)
def test_a_visit_without_a_night_is_refused(keywords: dict[str, object]) -> None:
    with pytest.raises(BadInputError, match="the night of visit 1 in SFILE1 or JD1") as caught:
        _parse(**keywords)
    assert caught.value.reason is Reason.WRONG_LAYOUT


@pytest.mark.parametrize(
    ("keywords", "telescope"),
    [
        ({"TELESCOP": "lco25m", "SFILE1": "apVisit-r12-5815-56396-212.fits"}, "lco25m"),
        ({"SFILE1": "asVisit-dr17-5815-56396-212.fits"}, "lco25m"),
        ({"SFILE1": "apVisit-dr17-5815-56396-212.fits"}, "apo25m"),
        ({"SFILE1": "apVisit-dr17-56396-VESTA.fits"}, "apo1m"),
        ({}, None),
    ],
)
def test_the_telescope(keywords: dict[str, object], telescope: str | None) -> None:
    assert _parse(**keywords).telescope == telescope


def test_what_a_header_lacks_is_taken_from_the_name_or_left_open() -> None:
    header = _parse("apStar-1.3-lco25m-2M00000002+7417074-59280.fits")
    assert (header.obj, header.telescope, header.apred) == ("2M00000002+7417074", "lco25m", "1.3")
    assert (header.field, header.healpix, header.n_declared, header.visits) == (None, None, None, ())
    assert math.isnan(header.snr)
    assert math.isnan(header.ra)
    assert math.isnan(header.dec)
    assert header.starflag == 0


@pytest.mark.parametrize("obj", ["", "../../etc/passwd", "two words"])
def test_a_name_that_is_none_is_taken_from_the_file(obj: str) -> None:
    assert _parse(OBJID=obj).obj == "2M16505794-2118004"


def test_older_and_newer_keywords() -> None:
    assert _parse(HEALPIX=-1).healpix is None
    assert _parse(LOCID=4586).field == "4586"
    assert _parse(LOCID=4586, FIELD="000+14  ").field == "000+14"
    night = {"JD1": 2459280.75}
    assert _parse(**night, VHELIO1=3.5, VRAD1=-20.0).visits[0].velocity == 3.5
    assert _parse(**night, VRAD1=-20.0).visits[0].velocity == -20.0
    assert _parse(**night, VHELIO1="NaN").visits[0].velocity is None
    visit = _parse(**night, SNRVIS1="NaN", FIBER1=212.0, FLAG1=-9999).visits[0]
    assert (visit.snr, visit.fiber, visit.starflag, visit.file) == (None, 212, StarFlag(0), None)


def test_flags_of_the_sixties_keep_their_unknown_bits() -> None:
    assert int(_parse(STARFLAG=2**60 + 16).starflag) == 2**60 + 16


def test_reading_many_headers_leaves_no_handle_open(write_apstar: Callable[..., Path]) -> None:
    path = write_apstar()
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in np.arange(50):
        read_header(path)
        read_apstar(path)
    assert len([*Path("/proc/self/fd").iterdir()]) == before
