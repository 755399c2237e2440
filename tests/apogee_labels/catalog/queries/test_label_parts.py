"""Tables of labels in parts, and against the obvious way: one star after the other."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import vstack
from sqlalchemy import select

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db import schema
from apogee_labels.catalog.queries import label_tables
from apogee_labels.catalog.records import Expected, ResultRecord
from tests.apogee_labels.catalog.catalog_samples import (
    NIGHT,
    analysed,
    archive_file,
    content,
    fill,
    model,
    normalization,
    result,
    row,
    spectrum,
)


def only(results: Collection[ResultRecord], catalog: Catalog) -> label_tables.ExpectedOf:
    """What a run expects of each content when it is to find these results."""
    made = catalog.normalizations.find(item.normalization_id for item in results)
    wanted = {(made[item.normalization_id].digest, item.model_id): item.id for item in results}
    return lambda digest, model_id: Expected("", wanted.get((digest, model_id or "")))


def test_only_the_results_that_are_expected_count(with_model: Catalog) -> None:
    nightly, other = analysed(with_model, "star", minutes=1), analysed(with_model, "other")
    notebook = [result(normalization(content("star")).id, model().id, minutes=2 + n, again=n) for n in (1, 2)]
    for made in notebook:
        with_model.results.record(made)

    def found(*results: ResultRecord, night: int | None = None) -> list[str]:
        return list(with_model.labels(night, expected=only(results, with_model))["result"])

    assert list(with_model.labels()["result"]) == [other.id, notebook[1].id]
    assert found(nightly) == [nightly.id]
    assert found(nightly, other) == [other.id, nightly.id], "those, and not the newest"
    assert found(nightly, night=1) == found() == []
    assert with_model.labels(expected=only((), with_model)).colnames == with_model.labels().colnames


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_parts_are_the_table_in_pieces_that_divide_no_star(with_model: Catalog, size: int) -> None:
    for name in ("b", "a much longer name than others have", "c", "B", "2M-", "2M+"):
        analysed(with_model, name, nights=(NIGHT, NIGHT + 1))
    with_model.archive.index([archive_file("again", digest=content("b again"), telescope="lco25m")])
    with_model.spectra.record(replace(spectrum("b", digest=content("b again")), telescope="lco25m"))
    with_model.normalizations.record(normalization(content("b again")))
    with_model.results.record(result(normalization(content("b again")).id, model().id))
    parts = list(with_model.label_tables.parts(size=size))
    assert len({str(part.dtype) for part in parts}) == 1, "they can be written below one another"
    whole = with_model.labels()
    assert (vstack(parts, metadata_conflicts="silent").as_array() == whole.as_array()).all()
    assert list(whole["obj"]) == sorted(whole["obj"])
    assert max(len(part) for part in parts) <= max(size, 2)
    assert all(len(part) for part in parts)


def test_an_empty_catalogue_has_one_empty_part(catalog: Catalog) -> None:
    (without_model,) = catalog.label_tables.parts()
    catalog.models.record(model())
    catalog.models.put_in_force("giants", model().id, "test")
    (without_results,) = catalog.label_tables.parts(visits=True)
    for part in (without_model, without_results):
        assert (len(part), part.colnames) == (0, catalog.labels().colnames)
    assert without_results.meta["MODEL"] == model().id


def test_parts_are_of_one_moment(with_model: Catalog) -> None:
    for name in "abc":
        analysed(with_model, name)
    parts = with_model.label_tables.parts(size=1)
    found = [next(parts)["obj"][0]]
    analysed(with_model, "aa, which came meanwhile")
    analysed(with_model, "d, which came meanwhile and has a longer name")
    found += [part["obj"][0] for part in parts]
    assert found == ["a", "b", "c"]


class _Slowly:
    """What labels() is to answer, one star at a time, from everything that the catalogue holds."""

    def __init__(self, catalog: Catalog, among: Collection[str] | None = None) -> None:
        with catalog._database.read() as connection:
            identities = connection.scalars(select(schema.result.c.id)).all()
        self.files = catalog.archive.indexed().values()
        self.results = [catalog.results.get(identity) for identity in identities if among is None or identity in among]
        self.normalizations = catalog.normalizations.find(item.normalization_id for item in self.results)
        self.spectra = catalog.spectra.find(file.digest for file in self.files)
        self.model = catalog.models.in_force("giants")

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
    with_model.models.record(model("second"))
    for _ in range(60):
        name, digest = str(rng.integers(12)), content(int(rng.integers(20)))
        nights = tuple(int(night) for night in NIGHT + rng.integers(3, size=rng.integers(1, 4)))
        telescope = str(rng.choice(["apo25m", "lco25m"]))
        with_model.archive.index([archive_file(name, digest=digest, telescope=telescope)])
        with_model.spectra.record(spectrum(name, digest=digest, nights=nights))
        visits = bool(rng.random() < 0.4)
        made = normalization(digest, sum_axis=None if visits else 0)
        with_model.normalizations.record(made)
        rows = tuple(
            row(place, mjd=NIGHT + place if visits else None, teff=float(rng.normal(4500, 100)))
            for place in range(2 if visits else 1)
        )
        by = model(str(rng.choice(["first", "second"]))).id
        again, minutes = int(rng.integers(3)), int(rng.integers(4))
        with_model.results.record(result(made.id, by, rows=rows, minutes=minutes, again=again))
        if rng.random() < 0.1:
            with_model.archive.mark_gone([f"/sas/{name}.fits"])
    slowly, sizes = _Slowly(with_model), []
    monkeypatch.setattr(label_tables, "CHUNK", 2)
    of_content = {slowly.normalizations[made.normalization_id].digest: made for made in slowly.results}
    some = [made for made in of_content.values() if rng.random() < 0.8]
    for visits in (False, True):
        table = with_model.labels(visits=visits, expected=only(some, with_model))
        found = sorted(zip(table["result"], table["row"], table["teff"], strict=True))
        assert found == _Slowly(with_model, {made.id for made in some}).labels(None, None, visits=visits)
        sizes.append(len(found))
    for night in (None, NIGHT, NIGHT + 2):
        for telescope in (None, "lco25m"):
            for visits in (False, True):
                table = with_model.labels(night, telescope=telescope, visits=visits)
                found = sorted(zip(table["result"], table["row"], table["teff"], strict=True))
                assert found == slowly.labels(night, telescope, visits=visits)
                sizes.append(len(found))
    assert min(sizes[:2]) > 0
    assert sizes[2] > 3


@pytest.mark.slow
def test_the_time_grows_with_the_stars_and_not_with_their_square(with_model: Catalog) -> None:
    fill(with_model, 20_000)
    begin = time.perf_counter()
    table = with_model.labels()
    # About two seconds on an idle machine; comparing each star with each takes a minute.
    assert time.perf_counter() - begin < 15
    assert len(table) == 20_000
    assert len(with_model.labels(night=1)) == 0
    begin = time.perf_counter()
    expected = dict(zip(table["spectrum"], table["result"], strict=True))
    assert (with_model.labels(expected=lambda digest, _: Expected("", expected[digest])) == table).all()
    assert time.perf_counter() - begin < 15
    assert len(with_model.label_tables.history(table["obj"][7])) == 1
