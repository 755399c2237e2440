"""Which stars were observed in a night, from SDSS's summary of visits or a CSV of its columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.apogee.tables.visit_summary import STAR_COLUMNS, VisitedStar, VisitSummaryError, stars_of_night

Columns = dict[str, list[Any]]
Write = Callable[[Columns], Path]

VISITS: Columns = {
    "APOGEE_ID": ["2M00000003+0000000", "2M00000001+0000000", "2M00000001+0000000", "2M00000002+0000000", "", "2M4"],
    "SNR": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "TELESCOPE": ["apo25m", "apo25m", "apo25m", "lco25m", "apo25m", "apo25m"],
    "FIELD": ["000+14", "000+14", "000+14", "001+14", "000+14", "N4147"],
    "MJD": [59280, 59280, 59280, 59280, 59280, 59281],
}
NIGHT = [VisitedStar("2M00000001+0000000", "000+14", None), VisitedStar("2M00000003+0000000", "000+14", None)]


def table_of(columns: Columns) -> fits.BinTableHDU:
    kinds = {str: "25A", int: "J", float: "E"}
    return fits.BinTableHDU.from_columns(
        [fits.Column(name, kinds[type(values[0])], array=np.array(values)) for name, values in columns.items()]
    )


@pytest.fixture
def write_fits(tmp_path: Path) -> Write:
    def write(columns: Columns) -> Path:
        path = tmp_path / "allVisit-test.fits"
        table_of(columns).writeto(path)
        return path

    return write


@pytest.fixture
def write_csv(tmp_path: Path) -> Write:
    def write(columns: Columns) -> Path:
        path = tmp_path / "visits.csv"
        lines = [[*columns], *zip(*columns.values(), strict=True)]
        path.write_text("\ufeff" + "\r\n".join(",".join(map(str, line)) for line in lines) + "\r\n", encoding="utf-8")
        return path

    return write


@pytest.fixture(params=["fits", "csv"])
def write(request: pytest.FixtureRequest) -> Write:
    write: Write = request.getfixturevalue(f"write_{request.param}")
    return write


def test_each_star_of_the_night_is_there_once(write: Write) -> None:
    path = write(VISITS)
    assert stars_of_night(path, "apo25m", 59280, by_healpix=False) == NIGHT
    assert stars_of_night(path, "lco25m", 59280, by_healpix=False) == [
        VisitedStar("2M00000002+0000000", "001+14", None)
    ]
    assert stars_of_night(str(path), "apo25m", 59281, by_healpix=False) == [VisitedStar("2M4", "N4147", None)]
    assert stars_of_night(path, "apo25m", 50000, by_healpix=False) == []


@pytest.mark.parametrize("name", STAR_COLUMNS)
@pytest.mark.parametrize("case", [str.lower, str.title])
def test_columns_go_by_their_letters_alone(write: Write, name: str, case: Callable[[str], str]) -> None:
    columns = {case(name if column == "APOGEE_ID" else column): values for column, values in VISITS.items()}
    assert stars_of_night(write(columns), "apo25m", 59280, by_healpix=False) == NIGHT


def test_the_apogee_name_goes_before_the_number(write: Write) -> None:
    path = write({"SDSS_ID": [101, 102, 103, 104, 105, 106], **VISITS})
    assert stars_of_night(path, "apo25m", 59280, by_healpix=False) == NIGHT


def test_a_release_by_healpix_needs_that_column(write: Write) -> None:
    path = write({**VISITS, "HEALPIX": [3, 1, 1, 2, 0, 4]})
    assert stars_of_night(path, "apo25m", 59280, by_healpix=True) == [
        VisitedStar("2M00000001+0000000", None, 1), VisitedStar("2M00000003+0000000", None, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lacking", "by_healpix", "message"),
    [
        ({"MJD"}, False, "no column MJD: .* it has APOGEE_ID, SNR, TELESCOPE, FIELD"),
        ({"TELESCOPE", "FIELD"}, False, "no column TELESCOPE and no column FIELD"),
        ({"APOGEE_ID"}, False, "no column APOGEE_ID or OBJ or OBJID or SDSS4_APOGEE_ID or SDSS_ID"),
        (set(), True, "no column HEALPIX: a visit summary of this release needs MJD, TELESCOPE, APOGEE_ID .* HEALPIX"),
    ],
)
def test_a_column_that_is_missing_is_named(write: Write, lacking: set[str], by_healpix: bool, message: str) -> None:
    path = write({name: values for name, values in VISITS.items() if name not in lacking})
    with pytest.raises(VisitSummaryError, match=message):
        stars_of_night(path, "apo25m", 59280, by_healpix=by_healpix)


def test_every_table_that_has_the_columns_is_read(tmp_path: Path) -> None:
    """As Astra's summaries are: a table an instrument and observatory."""
    path = tmp_path / "mwmAllVisit.fits"
    other = {"MJD": [59280], "TELESCOPE": ["apo25m"]}
    later = {name: values[:1] for name, values in VISITS.items()} | {"APOGEE_ID": ["2M00000009+0000000"]}
    fits.HDUList([fits.PrimaryHDU(), *map(table_of, (other, VISITS, later))]).writeto(path)
    assert stars_of_night(path, "apo25m", 59280, by_healpix=False) == [
        *NIGHT, VisitedStar("2M00000009+0000000", "000+14", None)
    ]  # fmt: skip


def test_a_file_without_a_table_says_so(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros(3)).writeto(tmp_path / "image.fits")
    with pytest.raises(VisitSummaryError, match="has no table"):
        stars_of_night(tmp_path / "image.fits", "apo25m", 59280, by_healpix=False)


@pytest.mark.parametrize("keep", [4000, 5770])
def test_a_file_that_is_being_written_may_be_whole_later(write_fits: Write, keep: int) -> None:
    path = write_fits(VISITS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(OSError, match="is it being written"):
        stars_of_night(path, "apo25m", 59280, by_healpix=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column MJD and no column TELESCOPE"),
        (b"\xff\xfe\x00\x01", "neither FITS nor CSV"),
        (b"mjd,telescope,obj,field\nyesterday,apo25m,2M1,000+14\n", "line 2: column MJD has 'yesterday'"),
        (b"mjd,telescope,obj,field\n1,apo25m,2M1,0\n59280,apo25m\n", "line 3: expected at least 4 columns, got 2"),
        (b"mjd,telescope,obj,healpix\n59280,apo25m,2M1,x\n", "column HEALPIX: 'x' of 2M1"),
    ],
)
def test_a_csv_that_is_wrong_says_where(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "visits.csv"
    path.write_bytes(content)
    with pytest.raises(VisitSummaryError, match=message):
        stars_of_night(path, "apo25m", 59280, by_healpix=b"healpix" in content)


def test_a_summary_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        stars_of_night(tmp_path / "no.fits", "apo25m", 59280, by_healpix=False)


def test_numbers_of_the_night_in_other_columns_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text('mjd,telescope,obj,field\n59280.0,apo25m,"2M1",000+14\n59281,apo25m,2M59280,000+14\n')
    assert [star.obj for star in stars_of_night(path, "apo25m", 59280, by_healpix=False)] == ["2M1"]
