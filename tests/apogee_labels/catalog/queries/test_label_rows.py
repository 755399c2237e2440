"""A row of a table of labels: its columns, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.records import LabelValue, ResultRow, VisitRecord
from tests.apogee_labels.catalog.catalog_samples import (
    NIGHT,
    analysed,
    archive_file,
    content,
    model,
    normalization,
    result,
    row,
    spectrum,
)

COLUMNS = [
    "obj",
    "sdss4_apogee_id",
    "telescope",
    "release",
    "apred",
    "field",
    "healpix",
    "prefix",
    "mjd",
    "snr",
    "n_visits",
    "spectrum_flags",
    "teff",
    "e_teff",
    "raw_e_teff",
    "logg",
    "e_logg",
    "raw_e_logg",
    "fe_h",
    "e_fe_h",
    "raw_e_fe_h",
    "row",
    "chi2",
    "rchi2",
    "unexplained",
    "result_flags",
    "converged",
    "ier",
    "nfev",
    "spectrum",
    "normalization",
    "model",
    "result",
    "v_apogee_cannon",
    "created",
]

KINDS = {"teff": "f", "mjd": "i", "healpix": "i", "n_visits": "i", "result_flags": "i", "converged": "b", "obj": "U"}


def test_an_empty_catalogue_has_an_empty_table_with_its_columns(catalog: Catalog) -> None:
    without_model = catalog.labels()
    catalog.models.record(model())
    catalog.models.put_in_force("giants", model().id, "test")
    filtered = catalog.labels(night=1, telescope="lco25m", visits=True)
    for table in (without_model, catalog.labels(), filtered):
        assert len(table) == 0
        assert table.colnames == COLUMNS
        assert {name: table[name].dtype.kind for name in KINDS} == KINDS
        assert table["obj"].dtype.itemsize > 0


def test_dtypes_do_not_depend_on_what_is_there(with_model: Catalog) -> None:
    empty = with_model.labels()
    analysed(with_model, "2M16505794-2118004")
    assert with_model.labels().dtype == empty.dtype


def test_a_row_says_what_was_inferred_and_from_what(with_model: Catalog) -> None:
    made = analysed(with_model, "star", nights=(NIGHT, 59012), teff=4321.5)
    table = with_model.labels()
    (found,) = table
    assert dict(zip(table.colnames, found.as_void().item(), strict=True)) == {
        "obj": "star",
        "sdss4_apogee_id": "",
        "telescope": "apo25m",
        "release": "dr17",
        "apred": "dr17",
        "field": "000+14",
        "healpix": -1,
        "prefix": "",
        "mjd": 59012,
        "snr": 99.0,
        "n_visits": 2,
        "spectrum_flags": 1 << 31,
        "teff": 4321.5,
        "e_teff": 0.02,
        "raw_e_teff": 0.01,
        "logg": 2.5,
        "e_logg": 0.02,
        "raw_e_logg": 0.01,
        "fe_h": -0.25,
        "e_fe_h": 0.02,
        "raw_e_fe_h": 0.01,
        "row": 0,
        "chi2": 7000.0,
        "rchi2": 1.01,
        "unexplained": 0.125,
        "result_flags": 1 << 40,
        "converged": True,
        "ier": 0,
        "nfev": 7,
        "spectrum": content("star"),
        "normalization": made.normalization_id,
        "model": model().id,
        "result": made.id,
        "v_apogee_cannon": "1.1",
        "created": "2024-03-01T04:05:06Z",
    }


@pytest.mark.parametrize(
    ("obj", "file", "expected"),
    [
        ("2M16505794-2118004", "apStar-dr17-2M16505794-2118004.fits", ("2M16505794-2118004", "ap")),
        ("AP00180149-7224158", "asStar-dr17-AP00180149-7224158.fits", ("AP00180149-7224158", "as")),
        ("4321567890", "apStar-1.3-apo25m-4321567890.fits", ("", "ap")),
        ("2m16505794-2118004", "of-2MASS.fits", ("", "")),
    ],
)
def test_names_of_dr17_and_of_files(with_model: Catalog, obj: str, file: str, expected: tuple[str, str]) -> None:
    digest = content(obj)
    with_model.spectra.record(replace(spectrum(obj), path=f"/sas/as/{file}"))
    analysed(with_model, obj, digest=digest)
    (found,) = with_model.labels()
    assert (found["obj"], found["sdss4_apogee_id"], found["prefix"]) == (obj, *expected)


def test_a_fit_that_did_not_converge_and_versions_of_its_methods(with_model: Catalog) -> None:
    with_model.archive.index([archive_file()])
    with_model.spectra.record(spectrum())
    made = replace(normalization(content("star")), method_version="3")
    with_model.normalizations.record(made)
    bad = ResultRow(**{name: getattr(row(), name) for name in row().__dataclass_fields__ if name != "n_iterations"})
    rows = (replace(bad, converged=False),)
    with_model.results.record(replace(result(made.id, model().id, rows=rows), method_version="12"))
    (found,) = with_model.labels()
    assert (found["converged"], found["ier"], found["nfev"], found["v_apogee_cannon"]) == (False, 1, -1, "3.12")


def test_columns_have_units_and_descriptions(with_model: Catalog) -> None:
    table = with_model.labels()
    assert [table[name].unit for name in ("teff", "e_teff", "raw_e_teff")] == [u.K] * 3
    assert [table[name].unit for name in ("logg", "fe_h")] == [u.dimensionless_unscaled] * 2
    assert "dex of cm s-2" in table["logg"].description
    assert [name for name in table.colnames if not table[name].description] == []


def test_what_is_not_known_is_filled_and_written_to_fits(with_model: Catalog, tmp_path: Path) -> None:
    with_model.archive.index([archive_file()])
    with_model.spectra.record(replace(spectrum(), telescope=None, field=None, healpix=None, visits=()))
    with_model.normalizations.record(normalization(content("star")))
    bare = replace(row(teff=float("nan")), unexplained=float("nan"), labels=(LabelValue("TEFF", *[float("nan")] * 3),))
    with_model.results.record(result(normalization(content("star")).id, model().id, rows=(bare,)))
    for name, table in (("full", with_model.labels()), ("empty", with_model.labels(night=1))):
        table.write(tmp_path / f"{name}.fits")
        back = Table.read(tmp_path / f"{name}.fits")
        assert (len(back), back.colnames) == (len(table), COLUMNS)
    (found,) = with_model.labels()
    assert [found[name] for name in ("telescope", "field", "healpix", "mjd")] == ["", "", -1, -1]
    assert np.isnan([found[name] for name in ("teff", "e_teff", "raw_e_teff", "logg", "e_fe_h", "unexplained")]).all()


def by_visit(catalog: Catalog, name: str, visits: tuple[VisitRecord, ...], mjds: tuple[int, ...]) -> None:
    """A star with these visits, of which those of `mjds` left a spectrum, analysed visit by visit."""
    catalog.archive.index([archive_file(name)])
    catalog.spectra.record(replace(spectrum(name), n_visits=len(visits), visits=visits))
    made = normalization(content(name), sum_axis=None)
    catalog.normalizations.record(made)
    rows = tuple(row(place, mjd=mjd) for place, mjd in enumerate(mjds))
    catalog.results.record(result(made.id, model().id, rows=rows))


def test_a_visit_has_its_own_flags_and_is_one(with_model: Catalog) -> None:
    flags = (1, 2, 4, 8)
    nights = (NIGHT, NIGHT, NIGHT + 3, NIGHT + 9)
    visits = tuple(
        VisitRecord(number=number, mjd=mjd, starflag=flag)
        for number, (mjd, flag) in enumerate(zip(nights, flags, strict=True), start=1)
    )
    by_visit(with_model, "whole", visits, nights)
    by_visit(with_model, "third left no spectrum", visits, (NIGHT, NIGHT, NIGHT + 9))
    by_visit(with_model, "not as its header says", visits, (NIGHT, NIGHT - 100))
    analysed(with_model, "stack", nights=nights)
    table = with_model.labels(visits=True)
    found = {obj: list(table["spectrum_flags"][table["obj"] == obj]) for obj in set(table["obj"])}
    assert found == {
        "whole": [1, 2, 4, 8],
        "third left no spectrum": [1, 2, 8],
        "not as its header says": [spectrum().starflag, 1],  # by night: the one that no visit is, then the first
    }
    assert set(table["n_visits"]) == {1}
    (stack,) = with_model.labels()
    assert (stack["n_visits"], stack["spectrum_flags"], stack["mjd"]) == (4, spectrum().starflag, NIGHT + 9)


def test_history_tells_visits_from_stacks_and_has_their_flags(with_model: Catalog) -> None:
    visits = tuple(VisitRecord(number=n, mjd=NIGHT + n, starflag=n) for n in (1, 2))
    by_visit(with_model, "star", visits, (NIGHT + 1, NIGHT + 2))
    analysed(with_model, "star", minutes=5)
    table = with_model.label_tables.history("star")
    assert list(table["is_visit"]) == [True, True, False]
    assert list(table["spectrum_flags"]) == [1, 2, spectrum().starflag]
