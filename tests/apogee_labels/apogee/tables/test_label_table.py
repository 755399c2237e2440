"""Tables of labels are read whatever they call their columns, and no more of them than is needed."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from apogee_labels.apogee.spectra.masks import AspcapFlag, StarFlag
from apogee_labels.apogee.tables.label_table import LabelTableError, read_label_table
from apogee_labels.core.identity import digest_file
from tests.apogee_labels.apogee.label_samples import all_star, astra_summary


def test_all_star(tmp_path: Path) -> None:
    path = all_star(tmp_path / "allStar.fits")
    table = read_label_table(path, ("TEFF", "LOGG", "fe_h"))
    assert table.stars.tolist() == ["2M00000002+7417074", "2M00000019-1924498", "2M00000032+5737103", ""]
    assert {key: column.tolist()[1] for key, column in table.keys.items()} == {"telescope": "lco25m", "field": "060-75"}
    np.testing.assert_array_equal(table.values["TEFF"], np.array([4723.5, 5501.8, np.nan, 4000.0], dtype=np.float32))
    np.testing.assert_allclose(table.values["fe_h"], [-0.12, -0.33, np.nan, 0.0])
    assert np.isnan(table.values["LOGG"][2])
    assert table.flags.keys() == {"fe_h"}
    assert table.flags["fe_h"].tolist() == [0, 0, 8, 0]
    np.testing.assert_allclose(table.snr, [229.2, 110.5, np.nan, 300.0], rtol=1e-6)
    assert table.starflag.tolist() == [0, int(StarFlag.LOW_SNR), 0, 0]
    assert table.aspcapflag.tolist() == [0, 1 << 41, int(AspcapFlag.STAR_WARN), 0]
    assert table.extratarg.tolist() == [0, 16, 0, 0]
    assert table.columns == {"TEFF": "TEFF", "LOGG": "LOGG", "fe_h": "FE_H"}
    assert table.digest == digest_file(path)


def test_astra_s_summaries_have_a_table_a_telescope(tmp_path: Path) -> None:
    table = read_label_table(astra_summary(tmp_path / "astraAllStarASPCAP.fits"), ("TEFF", "M_H"))
    assert table.stars.tolist() == ["2M00000101+0000001", "2M00000202+0000002", "2M00000303+0000003"]
    assert table.keys["telescope"].tolist() == ["apo25m", "apo25m", "lco25m"]
    assert table.keys["healpix"].tolist() == ["101", "102", "103"]
    assert table.keys["release"].tolist() == ["sdss5"] * 3
    assert table.columns == {"TEFF": "teff", "M_H": "m_h_atm"}
    assert table.starflag.tolist() == [int(StarFlag.SUSPECT_BROAD_LINES)] * 3
    bad = int(AspcapFlag.STAR_BAD)
    assert (table.aspcapflag & bad).tolist() == [0, bad, 0]
    assert (table.aspcapflag & int(AspcapFlag.STAR_WARN)).all()


CSV = """\ufeff# made by hand
 apogee_id ,Telescope,snr,teff,FeH,ASPCAPFLAG,note

2M1,apo25m,100.5,4500,-0.5,0,"a, b"
2M2,lco25m,--,nan,,2199023255552,x
,apo25m,12,4000,0.1,0,
"""


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(CSV, encoding="utf-8")
    table = read_label_table(path, ("TEFF", "FE_H"))
    assert table.stars.tolist() == ["2M1", "2M2", ""]
    assert table.keys["telescope"].tolist() == ["apo25m", "lco25m", "apo25m"]
    np.testing.assert_array_equal(table.values["TEFF"], [4500.0, np.nan, 4000.0])
    np.testing.assert_array_equal(table.values["FE_H"], [-0.5, np.nan, 0.1])
    np.testing.assert_array_equal(table.snr, [100.5, np.nan, 12.0])
    assert table.aspcapflag.tolist() == [0, 1 << 41, 0]
    assert (table.starflag, table.extratarg, dict(table.flags)) == (None, None, {})


def test_what_astropy_writes_of_a_fits_table_as_csv_reads_as_the_table(tmp_path: Path) -> None:
    path = all_star(tmp_path / "allStar.fits")
    copy = tmp_path / "copy.csv"
    whole = Table.read(path, 1)
    whole[[name for name in whole.colnames if whole[name].ndim == 1]].write(copy)
    for name in ("TEFF", "M_H"):
        one, other = (read_label_table(each, ("TEFF", "M_H")) for each in (path, copy))
        np.testing.assert_allclose(one.values[name], other.values[name])
        assert one.stars.tolist() == other.stars.tolist()
        assert one.aspcapflag.tolist() == other.aspcapflag.tolist()


def test_integers_that_are_null_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "null.fits"
    columns = [
        fits.Column("OBJ", "2A", array=["a", "b"]),
        fits.Column("TEFF", "J", array=[-1, 4000], null=-1),
        fits.Column("STARFLAG", "J", array=[-1, 3], null=-1),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    table = read_label_table(path, ("TEFF",))
    np.testing.assert_array_equal(table.values["TEFF"], [np.nan, 4000.0])
    assert table.starflag.tolist() == [0, 3]


def test_a_column_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(
        LabelTableError, match=r"columns ALPHA_M or ALPHA_M_ATM or \[ALPHA/M\].*it has APOGEE_ID, TELESCOPE"
    ):
        read_label_table(all_star(tmp_path / "allStar.fits"), ("TEFF", "ALPHA_M"))
    nameless = tmp_path / "nameless.csv"
    nameless.write_text("teff\n4000\n")
    with pytest.raises(LabelTableError, match=r"columns APOGEE_ID or OBJ or OBJID or SDSS4_APOGEE_ID.*it has teff"):
        read_label_table(nameless, ("TEFF",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("obj,TEFF\na,hot\n", "line 2: expected a number in the column TEFF, got 'hot'"),
        ("obj,TEFF\na,1\nb\n", "line 3: expected 2 cells, as the header, got 1"),
        ("", "expected the columns APOGEE_ID"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(LabelTableError, match=message):
        read_label_table(path, ("TEFF",))


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "binary.dat"
    other.write_bytes(bytes(range(256)))
    with pytest.raises(LabelTableError, match="neither FITS nor CSV"):
        read_label_table(other, ("TEFF",))
    image = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(image)
    with pytest.raises(LabelTableError, match="expected a table, found none"):
        read_label_table(image, ("TEFF",))
    with pytest.raises(FileNotFoundError):
        read_label_table(tmp_path / "none.fits", ("TEFF",))
    vectors = tmp_path / "vectors.fits"
    columns = [fits.Column("OBJ", "1A", array=["a"]), fits.Column("TEFF", "2E", array=[[1.0, 2.0]])]
    fits.BinTableHDU.from_columns(columns).writeto(vectors)
    with pytest.raises(LabelTableError, match="one value a row in the column TEFF"):
        read_label_table(vectors, ("TEFF",))


def test_a_table_that_is_cut_short_may_be_being_written(tmp_path: Path) -> None:
    path = all_star(tmp_path / "allStar.fits", wide=4000)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(OSError, match="cannot be read as a FITS table"):
        read_label_table(path, ("TEFF",))


def test_no_more_memory_than_the_columns_take(tmp_path: Path) -> None:
    path = all_star(tmp_path / "allStar.fits", wide=1_000_000)
    assert path.stat().st_size > 16_000_000
    read_label_table(path, ("TEFF",))  # what is imported at the first time does not count
    tracemalloc.start()
    try:
        read_label_table(path, ("TEFF",))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
