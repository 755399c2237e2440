"""Tables as FITS files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table, vstack

from apogee_labels.fits.table_files import content_digest, kept_header, write_parts, write_table
from apogee_labels.fits.tables import ColumnSpec, build_table


def stars(**changes: object) -> Table:
    columns = {"obj": ["a", "bc"], "teff": [4500.0, np.nan], "flags": [1, 1 << 40], "good": [True, False]}
    table = Table(columns | changes, meta={"MODEL": "abc", "CREATED": "2024-03-01T04:05:06Z"})
    table["teff"].unit = u.K
    table["teff"].description = "effective temperature"
    return table


def test_a_written_table_comes_back_with_units_and_checksums(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "stars.fits"
    assert write_table(stars(), path, header={"RUN": "manual", "N": 3}) is True
    with fits.open(path, checksum=True) as hdus:
        header = hdus[1].header
        assert (hdus[1].verify_checksum(), hdus[1].verify_datasum(), hdus[0].verify_checksum()) == (1, 1, 1)
        assert {"CHECKSUM", "DATASUM"} < set(header)
        assert (header["TUNIT2"], header["TCOMM2"]) == ("K", "effective temperature")
        assert (header["RUN"], header["N"], header["MODEL"]) == ("manual", 3, "abc")
        assert header["CONTENT"] == content_digest(stars())
    back = Table.read(path)
    assert list(back["obj"]) == ["a", "bc"]
    assert list(back["flags"]) == [1, 1 << 40]
    assert list(back["good"]) == [True, False]
    assert back["teff"].unit == u.K
    assert [item.name for item in path.parent.iterdir()] == ["stars.fits"]


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "stars.fits"
    write_table(stars(), path, header={"RUN": "first"})
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    later = stars()
    later.meta["CREATED"] = "2024-03-02T04:05:06Z"
    assert write_table(later, path, header={"RUN": "second"}) is False
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def _another_value(table: Table) -> None:
    table["teff"][0] = 4501.0


def _another_unit(table: Table) -> None:
    table["teff"].unit = u.mK


def _another_description(table: Table) -> None:
    table["teff"].description = "temperature"


def _another_name(table: Table) -> None:
    table.rename_column("teff", "t_eff")


def _another_model(table: Table) -> None:
    table.meta["MODEL"] = "def"


def _one_row_less(table: Table) -> None:
    table.remove_row(1)


def _a_value_not_known(table: Table) -> None:
    table["flags"] = MaskedColumn(table["flags"], mask=[True, False])


@pytest.mark.parametrize(
    "change",
    [
        _another_value,
        _another_unit,
        _another_description,
        _another_name,
        _another_model,
        _one_row_less,
        _a_value_not_known,
    ],
)
def test_another_content_is_written(tmp_path: Path, change: object) -> None:
    path = tmp_path / "stars.fits"
    write_table(stars(), path, header={})
    other = stars()
    change(other)
    assert write_table(other, path, header={}) is True
    assert write_table(other, path, header={}) is False
    with fits.open(path) as hdus:
        assert hdus[1].header["CONTENT"] == content_digest(other) != content_digest(stars())


def test_a_table_read_back_has_the_same_digest_whatever_its_byte_order() -> None:
    little, big = stars(), stars()
    big["teff"] = big["teff"].astype(">f8")
    assert content_digest(little) == content_digest(big)


@pytest.mark.parametrize(
    "damage", ["cut short", "a byte changed", "empty", "not FITS", "no text", "longer", "no table"]
)
def test_a_damaged_file_is_written_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "stars.fits"
    write_table(stars(), path, header={})
    good = path.read_bytes()
    position = good.index(b"bc")
    path.write_bytes(
        {
            "cut short": good[:-2880],
            "a byte changed": good[:position] + b"X" + good[position + 1 :],
            "empty": b"",
            "not FITS": b"hello" * 1000,
            "no text": good[:80] + b"\xff" * (len(good) - 80),
            "longer": good + bytes(2880),
            "no table": good[:2880],
        }[damage]
    )
    assert write_table(stars(), path, header={}) is True
    assert path.stat().st_size == len(good)
    assert list(Table.read(path)["obj"]) == ["a", "bc"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "stars.fits"
    write_table(stars(), path, header={})
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"NaN|nan"):
        write_table(stars(flags=[1, 2]), path, header={"BAD": float("nan")})
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["stars.fits"]


def test_an_empty_table_can_be_written(tmp_path: Path) -> None:
    empty = build_table([(ColumnSpec("obj", "U19", "star"), []), (ColumnSpec("teff", "f8", "t", u.K), [])], {"A": 1})
    assert write_table(empty, tmp_path / "empty.fits", header={}) is True
    assert write_table(empty, tmp_path / "empty.fits", header={}) is False
    assert len(QTable.read(tmp_path / "empty.fits")) == 0


def parts_of(table: Table, *sizes: int) -> Iterator[Table]:
    """`table` in pieces of those sizes, each with a time of making of its own."""
    first = 0
    for minute, size in enumerate(sizes):
        part = table[first : first + size]
        part.meta["CREATED"] = f"2024-03-01T04:{minute:02d}:06Z"
        yield part
        first += size


@pytest.mark.parametrize("sizes", [(7,), (3, 4), (1, 0, 5, 1), (0, 7)])
def test_parts_written_below_one_another_are_the_table(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    table = vstack([stars()] * 3 + [stars()[:1]], metadata_conflicts="silent")
    assert write_parts(parts_of(table, *sizes), tmp_path / "parts.fits", header=dict) is True
    assert write_table(table, tmp_path / "parts.fits", header={}) is False, "it is the same content"
    back = Table.read(tmp_path / "parts.fits")
    assert len(back) == 7
    np.testing.assert_array_equal(back["teff"], table["teff"])
    with fits.open(tmp_path / "parts.fits", checksum=True) as hdus:
        assert len(hdus) == 2
        assert hdus[1].header["CONTENT"] == content_digest(table)
        hdus.verify("exception")
        assert [hdu.verify_checksum() for hdu in hdus] == [1, 1]


def test_a_header_may_say_what_is_known_after_the_last_part(tmp_path: Path) -> None:
    seen = {"N": 0, "LAST": ""}

    def counted() -> Iterator[Table]:
        for part in parts_of(stars(), 1, 1):
            seen.update(N=seen["N"] + len(part), LAST="it grew meanwhile")
            yield part

    write_parts(counted(), tmp_path / "stars.fits", header=lambda: seen)
    header = fits.getheader(tmp_path / "stars.fits", 1)
    assert (header["N"], header["LAST"], header["NAXIS2"]) == (2, "it grew meanwhile", 2)
    assert header.comments["CHECKSUM"] == "sum of the HDU", "no time in it: CREATED says when"


def test_a_header_that_outgrows_its_place_writes_no_file(tmp_path: Path) -> None:
    answers = iter([{"LAST": ""}, {"LAST": "it grew meanwhile " * 200}])
    with pytest.raises(ValueError, match="take no more cards"):
        write_parts([stars()], tmp_path / "stars.fits", header=lambda: next(answers))
    assert list(tmp_path.iterdir()) == []


def test_parts_that_differ_are_refused(tmp_path: Path) -> None:
    longer = stars(obj=["a", "a longer name"])
    for parts, message in (([], "got none"), ([stars(), longer], "same columns"), ([longer, stars()], "same columns")):
        with pytest.raises(ValueError, match=message):
            write_parts(parts, tmp_path / "stars.fits", header=dict)
    assert list(tmp_path.iterdir()) == []


def test_the_header_of_what_is_there_can_be_asked_for(tmp_path: Path) -> None:
    assert kept_header(tmp_path / "none.fits") is None
    (tmp_path / "bad.fits").write_bytes(b"SIMPLE")
    assert kept_header(tmp_path / "bad.fits") is None
    write_table(stars(), tmp_path / "stars.fits", header={})
    found = kept_header(tmp_path / "stars.fits")
    assert found is not None
    assert found["MODEL"] == "abc"
