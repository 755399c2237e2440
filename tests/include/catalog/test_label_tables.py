"""Tables of labels: which result is current, and what a row says."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from sqlalchemy import insert, select

from include.catalog import Catalog, CatalogError, label_tables, part, schema
from include.catalog.part import row_of
from include.catalog.records import LabelValue, ResultRecord, ResultRow
from tests.include.catalog.catalog_samples import (
    LABELS,
    NIGHT,
    analysed,
    archive_file,
    content,
    model,
    moment,
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
    "starflag",
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
    catalog.record_model(model())
    catalog.put_in_force("giants", model().id, "test")
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
        "starflag": 1 << 31,
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
    with_model.record_spectrum(replace(spectrum(obj), path=f"/sas/as/{file}"))
    analysed(with_model, obj, digest=digest)
    (found,) = with_model.labels()
    assert (found["obj"], found["sdss4_apogee_id"], found["prefix"]) == (obj, *expected)


def test_a_fit_that_did_not_converge_and_versions_of_its_methods(with_model: Catalog) -> None:
    with_model.index_files([archive_file()])
    with_model.record_spectrum(spectrum())
    made = replace(normalization(content("star")), method_version="3")
    with_model.record_normalization(made)
    bad = ResultRow(**{name: getattr(row(), name) for name in row().__dataclass_fields__ if name != "n_iterations"})
    rows = (replace(bad, converged=False),)
    with_model.record_result(replace(result(made.id, model().id, rows=rows), method_version="12"))
    (found,) = with_model.labels()
    assert (found["converged"], found["ier"], found["nfev"], found["v_apogee_cannon"]) == (False, 1, -1, "3.12")


def test_columns_have_units_and_descriptions(with_model: Catalog) -> None:
    table = with_model.labels()
    assert [table[name].unit for name in ("teff", "e_teff", "raw_e_teff")] == [u.K] * 3
    assert [table[name].unit for name in ("logg", "fe_h")] == [u.dimensionless_unscaled] * 2
    assert "dex of cm s-2" in table["logg"].description
    assert [name for name in table.colnames if not table[name].description] == []


def test_the_table_says_which_model_and_catalogue(with_model: Catalog) -> None:
    meta = with_model.labels(NIGHT, telescope="apo25m").meta
    assert meta.pop("CREATED").endswith("Z")
    assert meta == {
        "MODEL": model().id,
        "MODNAME": "giants",
        "CATALOG": with_model.url,
        "NIGHT": NIGHT,
        "TELESCOP": "apo25m",
    }


def test_what_is_not_known_is_filled_and_written_to_fits(with_model: Catalog, tmp_path: Path) -> None:
    with_model.index_files([archive_file()])
    with_model.record_spectrum(replace(spectrum(), telescope=None, field=None, healpix=None, visits=()))
    with_model.record_normalization(normalization(content("star")))
    bare = replace(row(teff=float("nan")), unexplained=float("nan"), labels=(LabelValue("TEFF", *[float("nan")] * 3),))
    with_model.record_result(result(normalization(content("star")).id, model().id, rows=(bare,)))
    for name, table in (("full", with_model.labels()), ("empty", with_model.labels(night=1))):
        table.write(tmp_path / f"{name}.fits")
        back = Table.read(tmp_path / f"{name}.fits")
        assert (len(back), back.colnames) == (len(table), COLUMNS)
    (found,) = with_model.labels()
    assert [found[name] for name in ("telescope", "field", "healpix", "mjd")] == ["", "", -1, -1]
    assert np.isnan([found[name] for name in ("teff", "e_teff", "raw_e_teff", "logg", "e_fe_h", "unexplained")]).all()


def test_a_star_that_is_seen_again_has_one_current_result(with_model: Catalog) -> None:
    old = analysed(with_model, "star", digest=content(1), nights=(NIGHT,), teff=4000.0, minutes=9)
    new = analysed(with_model, "star", digest=content(2), nights=(NIGHT, 59012), teff=4100.0, minutes=1)
    assert list(with_model.labels()["result"]) == [new.id]
    assert list(with_model.labels(NIGHT)["result"]) == list(with_model.labels(59012)["result"]) == [new.id]
    history = with_model.history("star")
    assert list(history["result"]) == [new.id, old.id]
    assert list(history["current"]) == [True, False]
    assert list(history["teff"]) == [4100.0, 4000.0]
    assert [list(history[name]) for name in ("e_teff", "raw_e_teff")] == [[0.02] * 2, [0.01] * 2]
    assert list(history["unexplained"]) == [0.125] * 2


def test_a_new_content_without_a_result_leaves_the_star_out(with_model: Catalog) -> None:
    analysed(with_model, "star", digest=content(1))
    with_model.index_files([archive_file("star", digest=content(2))])
    assert len(with_model.labels()) == 0
    assert list(with_model.history("star")["current"]) == [False]


def test_a_path_that_is_gone_keeps_its_last_result(with_model: Catalog) -> None:
    made = analysed(with_model, "star")
    with_model.mark_gone(["/sas/star.fits"])
    assert list(with_model.labels()["result"]) == [made.id]


def test_a_content_at_two_paths_is_one_row(with_model: Catalog) -> None:
    analysed(with_model, "star")
    with_model.index_files([archive_file("copy", digest=content("star"))])
    assert len(with_model.labels()) == 1


def test_the_model_is_chosen_by_identity_or_by_name(with_model: Catalog) -> None:
    first = analysed(with_model, "star", teff=4000.0)
    with_model.record_model(model("second", labels=("FE_H", "MG_H")))
    second = analysed(with_model, "star", by="second", minutes=5)
    chosen = [with_model.labels(model=name) for name in (None, "giants", model().id, model("second").id)]
    assert [list(table["result"]) for table in chosen] == [[first.id]] * 3 + [[second.id]]
    assert {"fe_h", "mg_h"} < set(chosen[3].colnames)
    assert "teff" not in chosen[3].colnames
    with_model.put_in_force("giants", model("second").id, "test")
    assert list(with_model.labels()["result"]) == [second.id]
    with pytest.raises(CatalogError, match="name that has one in force, got 'dwarfs'"):
        with_model.labels(model="dwarfs")


def test_label_columns_keep_the_order_of_the_model(catalog: Catalog) -> None:
    catalog.record_model(model(labels=LABELS[::-1]))
    table = catalog.labels(model=model().id)
    assert [name for name in table.colnames if name in ("teff", "logg", "fe_h")] == ["fe_h", "logg", "teff"]


def test_visits_are_asked_for_apart_from_stacks(with_model: Catalog) -> None:
    stack = analysed(with_model, "star", nights=(NIGHT, 59012))
    by_visit = normalization(content("star"), sum_axis=None)
    with_model.record_normalization(by_visit)
    rows = (row(0, mjd=NIGHT, teff=4400.0), row(1, mjd=59012, teff=4600.0))
    visits = result(by_visit.id, model().id, rows=rows, minutes=5)
    with_model.record_result(visits)
    assert list(with_model.labels()["result"]) == [stack.id]
    table = with_model.labels(visits=True)
    assert list(table["result"]) == [visits.id] * 2
    assert list(table["mjd"]) == [NIGHT, 59012]
    assert list(table["teff"]) == [4400.0, 4600.0]
    assert list(table["snr"]) == [99.0, 100.0]
    history = with_model.history("star")
    assert list(history["result"]) == [stack.id, visits.id, visits.id]
    assert all(history["current"])


def test_the_newest_of_several_results_of_a_content_counts(with_model: Catalog) -> None:
    analysed(with_model, "star", minutes=1)
    newer = result(normalization(content("star")).id, model().id, minutes=2, again=1)
    with_model.record_result(newer)
    assert list(with_model.labels()["result"]) == [newer.id]
    assert list(with_model.history("star")["current"]) == [False, True]


def test_only_the_results_that_are_asked_for_count(with_model: Catalog) -> None:
    nightly, other = analysed(with_model, "star", minutes=1), analysed(with_model, "other")
    notebook = [result(normalization(content("star")).id, model().id, minutes=2 + n, again=n) for n in (1, 2)]
    for made in notebook:
        with_model.record_result(made)

    def found(*results: ResultRecord, night: int | None = None) -> list[str]:
        return list(with_model.labels(night, results=[made.id for made in results])["result"])

    assert list(with_model.labels()["result"]) == [other.id, notebook[1].id]
    assert found(nightly) == [nightly.id]
    assert found(nightly, other, notebook[0]) == [other.id, notebook[0].id], "the newest of those, not of all"
    assert found(nightly, night=1) == found() == []
    assert list(with_model.labels(results=["0" * 64])["result"]) == []
    assert with_model.labels(results=[]).colnames == COLUMNS


def test_telescopes_and_nights_are_filters(with_model: Catalog) -> None:
    for name, night in (("a", NIGHT), ("b", 59012), ("c", NIGHT)):
        analysed(with_model, name, nights=(night,))
    with_model.index_files([archive_file("c", telescope="lco25m")])
    assert list(with_model.labels()["obj"]) == ["a", "b", "c"]
    assert list(with_model.labels(NIGHT)["obj"]) == ["a", "c"]
    assert list(with_model.labels(NIGHT, telescope="apo25m")["obj"]) == ["a"]
    assert list(with_model.labels(telescope="lco25m")["obj"]) == ["c"]


def test_the_history_of_an_unknown_star_is_empty(with_model: Catalog) -> None:
    table = with_model.history("nobody")
    assert (len(table), table.colnames) == (0, [*COLUMNS, "current"])


def test_history_has_the_labels_of_every_model(with_model: Catalog) -> None:
    with_model.record_model(model("second", labels=("TEFF", "MG_H")))
    analysed(with_model, "star", teff=4000.0)
    analysed(with_model, "star", by="second", minutes=1)
    table = with_model.history("star")
    assert {"teff", "logg", "fe_h", "mg_h"} < set(table.colnames)
    assert list(table["current"]) == [True, False]
    assert np.isnan(table["mg_h"][0])


class _Slowly:
    """What labels() is to answer, one star at a time, from everything that the catalogue holds."""

    def __init__(self, catalog: Catalog, among: Collection[str] | None = None) -> None:
        with catalog._database.read() as connection:
            identities = connection.scalars(select(schema.result.c.id)).all()
        self.files = catalog.indexed().values()
        self.results = [catalog.result(identity) for identity in identities if among is None or identity in among]
        self.normalizations = catalog.normalizations(item.normalization_id for item in self.results)
        self.spectra = catalog.spectra(file.digest for file in self.files)
        self.model = catalog.model_in_force("giants")

    def labels(self, night: int | None, telescope: str | None, *, visits: bool) -> list[tuple[str, int, float]]:
        found = set()
        for file in self.files:
            nights = {visit.mjd for visit in self.spectra[file.digest].visits}
            if telescope in (None, file.telescope) and (night is None or night in nights):
                of_file = [item for item in self.results if self._counts(item, file.digest, visits=visits)]
                newest = sorted(of_file, key=lambda item: (item.created, item.id))[-1:]
                found |= {(item.id, line.row, line.labels[0].value) for item in newest for line in item.rows}
        return sorted(found)

    def _counts(self, item: ResultRecord, digest: str, *, visits: bool) -> bool:
        is_its_own = self.normalizations[item.normalization_id].digest == digest
        is_of_kind = any((line.mjd is not None) == visits for line in item.rows)
        return is_its_own and is_of_kind and item.model_id == self.model.id


def test_the_query_agrees_with_looking_at_one_star_after_the_other(
    with_model: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(20240301)
    with_model.record_model(model("second"))
    for _ in range(60):
        name, digest = str(rng.integers(12)), content(int(rng.integers(20)))
        nights = tuple(int(night) for night in NIGHT + rng.integers(3, size=rng.integers(1, 4)))
        telescope = str(rng.choice(["apo25m", "lco25m"]))
        with_model.index_files([archive_file(name, digest=digest, telescope=telescope)])
        with_model.record_spectrum(spectrum(name, digest=digest, nights=nights))
        visits = bool(rng.random() < 0.4)
        made = normalization(digest, sum_axis=None if visits else 0)
        with_model.record_normalization(made)
        rows = tuple(
            row(place, mjd=NIGHT + place if visits else None, teff=float(rng.normal(4500, 100)))
            for place in range(2 if visits else 1)
        )
        by = model(str(rng.choice(["first", "second"]))).id
        again, minutes = int(rng.integers(3)), int(rng.integers(4))
        with_model.record_result(result(made.id, by, rows=rows, minutes=minutes, again=again))
        if rng.random() < 0.1:
            with_model.mark_gone([f"/sas/{name}.fits"])
    slowly, sizes = _Slowly(with_model), []
    with monkeypatch.context() as patch:
        patch.setattr(label_tables, "chunks", lambda values: part.chunks(values, 2))
        every = {made.id for made in slowly.results}
        half = {identity for identity in sorted(every) if rng.random() < 0.5}
        for among in (every, half):
            table = with_model.labels(results=among)
            found = sorted(zip(table["result"], table["row"], table["teff"], strict=True))
            assert found == _Slowly(with_model, among).labels(None, None, visits=False)
            sizes.append(len(found))
    for night in (None, NIGHT, NIGHT + 2):
        for telescope in (None, "lco25m"):
            for visits in (False, True):
                table = with_model.labels(night, telescope=telescope, visits=visits)
                found = sorted(zip(table["result"], table["row"], table["teff"], strict=True))
                assert found == slowly.labels(night, telescope, visits=visits)
                sizes.append(len(found))
    assert min(sizes[:2]) > 3


def _fill(catalog: Catalog, stars: int) -> None:
    """Record `stars` results the quick way."""
    names = [f"2M{star:014d}" for star in range(stars)]
    made = [normalization(content(name)) for name in names]
    results = [result(item.id, model().id) for item in made]
    tables: list[tuple[object, list[dict[str, object]]]] = [
        (schema.archive_file, [row_of(archive_file(name), schema.archive_file) for name in names]),
        (schema.spectrum, [row_of(spectrum(name), schema.spectrum) for name in names]),
        (schema.visit, [{"digest": content(n), "number": 1, "mjd": NIGHT, "starflag": 0} for n in names]),
        (schema.normalization, [row_of(item, schema.normalization) for item in made]),
        (schema.result, [row_of(item, schema.result) for item in results]),
        (schema.result_row, [row_of(item.rows[0], schema.result_row, result_id=item.id) for item in results]),
        (schema.label, [_label(item.id, item.rows[0], place) for item in results for place in range(len(LABELS))]),
    ]
    with catalog._database.write() as connection:
        for table, rows in tables:
            connection.execute(insert(table), rows)


def _label(identity: str, line: ResultRow, place: int) -> dict[str, object]:
    return {"result_id": identity, "row": line.row, **line.labels[place]._asdict()}


@pytest.mark.slow
def test_the_time_grows_with_the_stars_and_not_with_their_square(with_model: Catalog) -> None:
    _fill(with_model, 20_000)
    begin = time.perf_counter()
    table = with_model.labels()
    # About two seconds on an idle machine; comparing each star with each takes a minute.
    assert time.perf_counter() - begin < 15
    assert len(table) == 20_000
    assert len(with_model.labels(night=1)) == 0
    begin = time.perf_counter()
    assert (with_model.labels(results=list(table["result"])) == table).all()
    assert time.perf_counter() - begin < 15
    assert len(with_model.history(table["obj"][7])) == 1


def test_created_is_sorted_by_the_moment_not_by_its_text(with_model: Catalog) -> None:
    analysed(with_model, "star")
    for again, seconds in ((1, 0.2), (2, 0.1)):
        late = replace(result(normalization(content("star")).id, model().id, again=again), created=moment(seconds / 60))
        with_model.record_result(late)
    assert list(with_model.labels()["result"]) == [result(normalization(content("star")).id, model().id, again=1).id]
