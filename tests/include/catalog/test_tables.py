"""Tables as FITS files."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table

from include.cannon.likeness import UNEXPLAINED
from include.catalog.tables import (
    FIT,
    ColumnSpec,
    build_table,
    content_digest,
    iso_utc,
    label_columns,
    unit_text,
    write_table,
)

VELOCITY, DEX = u.km / u.s, u.dimensionless_unscaled


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


@pytest.mark.parametrize("damage", ["cut short", "a byte changed", "empty", "not FITS", "no table"])
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


def test_text_that_is_longer_than_usual_is_kept_whole() -> None:
    column = ColumnSpec("obj", "U4", "star").column(["ab", None, "a long name"])
    assert list(column) == ["ab", "", "a long name"]


@pytest.mark.parametrize(
    ("names", "unit", "says"),
    [
        (("TEFF", "T_EFF", "teff"), u.K, ""),
        (("VSINI", "VMICRO", "VMACRO", "VROT"), VELOCITY, ""),
        (("LOGG",), DEX, " (dex of cm s-2)"),
        (("FE_H", "MG_H", "M_H", "O_FE", "C_M", "ALPHA_M"), DEX, " (dex)"),
        (("AGE", "MASS", "FE", "H_TEFF", "AK_WISE"), None, ""),
    ],
)
def test_a_label_has_the_unit_that_its_name_says(
    tmp_path: Path, names: tuple[str, ...], unit: u.UnitBase | None, says: str
) -> None:
    for name in names:
        specs = label_columns(name)
        column = name.lower()
        assert [(spec.name, spec.unit) for spec in specs] == [(p + column, unit) for p in ("", "e_", "raw_e_")]
        assert [spec.description for spec in specs] == [
            f"{name}{says}",
            f"error of {name}{says}: formal, and what validation found beyond",
            f"formal error of {name}{says}",
        ]
        assert unit_text(name) == ("dex" if says else str(unit or ""))
        write_table(build_table([(spec, [1.5]) for spec in specs], {}), tmp_path / f"{name}.fits", header={})
        back = Table.read(tmp_path / f"{name}.fits")
        assert [back[spec.name].unit for spec in specs] == [None if unit is DEX else unit] * 3


def test_the_share_unexplained_says_from_where_the_flag_is_set(tmp_path: Path) -> None:
    (spec,) = [spec for spec in FIT if spec.name == "unexplained"]
    assert f"above {UNEXPLAINED} it is unlike the training set" in spec.description
    write_table(build_table([(spec, [0.5, None])], {}), tmp_path / "fit.fits", header={})
    with fits.open(tmp_path / "fit.fits", checksum=True) as hdus:
        assert hdus[1].header["TCOMM1"] == spec.description, "longer than a card of FITS"
        np.testing.assert_array_equal(hdus[1].data["unexplained"], [0.5, np.nan])


def test_times_are_written_in_utc() -> None:
    local = datetime(2024, 3, 1, 21, 5, 6, 999999, tzinfo=timezone(timedelta(hours=-7)))
    assert iso_utc(local) == "2024-03-02T04:05:06Z"
