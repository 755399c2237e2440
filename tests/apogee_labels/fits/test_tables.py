"""The columns of tables: units, descriptions, widths."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from apogee_labels.cannon.inference.likeness import UNEXPLAINED
from apogee_labels.fits.table_files import write_table
from apogee_labels.fits.tables import FIT, ColumnSpec, build_table, iso_utc, label_columns

VELOCITY, DEX = u.km / u.s, u.dimensionless_unscaled


def test_text_that_is_longer_than_usual_is_kept_whole() -> None:
    column = ColumnSpec("obj", "U4", "star").column(["ab", None, "a long name"])
    assert list(column) == ["ab", "", "a long name"]


def test_a_column_of_text_can_be_given_room() -> None:
    spec = ColumnSpec("obj", "U4", "star")
    assert spec.at_least(11).column(["ab"]).dtype == "U11"
    assert spec.at_least(3) == spec
    number = ColumnSpec("teff", "f8", "temperature", u.K)
    assert number.at_least(11) == number


@pytest.mark.parametrize(
    ("names", "unit", "says"),
    [
        (("TEFF", "T_EFF", "teff"), u.K, ""),
        (("VSINI", "VMICRO", "VMACRO", "VROT", "V_SINI", "v_micro", "V_MACRO"), VELOCITY, ""),
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
