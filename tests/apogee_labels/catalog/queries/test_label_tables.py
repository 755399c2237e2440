"""Tables of labels: which result is current."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apogee_labels.catalog import Catalog, CatalogError
from tests.apogee_labels.catalog.catalog_samples import (
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
)


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


def test_a_star_that_is_seen_again_has_one_current_result(with_model: Catalog) -> None:
    old = analysed(with_model, "star", digest=content(1), nights=(NIGHT,), teff=4000.0, minutes=9)
    new = analysed(with_model, "star", digest=content(2), nights=(NIGHT, 59012), teff=4100.0, minutes=1)
    assert list(with_model.labels()["result"]) == [new.id]
    assert list(with_model.labels(NIGHT)["result"]) == list(with_model.labels(59012)["result"]) == [new.id]
    history = with_model.label_tables.history("star")
    assert list(history["result"]) == [new.id, old.id]
    assert list(history["current"]) == [True, False]
    assert list(history["teff"]) == [4100.0, 4000.0]
    assert [list(history[name]) for name in ("e_teff", "raw_e_teff")] == [[0.02] * 2, [0.01] * 2]
    assert list(history["unexplained"]) == [0.125] * 2


def test_a_new_content_without_a_result_leaves_the_star_out(with_model: Catalog) -> None:
    analysed(with_model, "star", digest=content(1))
    with_model.archive.index([archive_file("star", digest=content(2))])
    assert len(with_model.labels()) == 0
    assert list(with_model.label_tables.history("star")["current"]) == [False]


def test_a_path_that_is_gone_keeps_its_last_result(with_model: Catalog) -> None:
    made = analysed(with_model, "star")
    with_model.archive.mark_gone(["/sas/star.fits"])
    assert list(with_model.labels()["result"]) == [made.id]


def test_a_content_at_two_paths_is_one_row(with_model: Catalog) -> None:
    analysed(with_model, "star")
    with_model.archive.index([archive_file("copy", digest=content("star"))])
    assert len(with_model.labels()) == 1


def test_the_model_is_chosen_by_identity_or_by_name(with_model: Catalog) -> None:
    first = analysed(with_model, "star", teff=4000.0)
    with_model.models.record(model("second", labels=("FE_H", "MG_H")))
    second = analysed(with_model, "star", by="second", minutes=5)
    chosen = [with_model.labels(model=name) for name in (None, "giants", model().id, model("second").id)]
    assert [list(table["result"]) for table in chosen] == [[first.id]] * 3 + [[second.id]]
    assert {"fe_h", "mg_h"} < set(chosen[3].colnames)
    assert "teff" not in chosen[3].colnames
    with_model.models.put_in_force("giants", model("second").id, "test")
    assert list(with_model.labels()["result"]) == [second.id]
    with pytest.raises(CatalogError, match="name that has one in force, got 'dwarfs'"):
        with_model.labels(model="dwarfs")


def test_label_columns_keep_the_order_of_the_model(catalog: Catalog) -> None:
    catalog.models.record(model(labels=LABELS[::-1]))
    table = catalog.labels(model=model().id)
    assert [name for name in table.colnames if name in ("teff", "logg", "fe_h")] == ["fe_h", "logg", "teff"]


def test_visits_are_asked_for_apart_from_stacks(with_model: Catalog) -> None:
    stack = analysed(with_model, "star", nights=(NIGHT, 59012))
    by_visit = normalization(content("star"), sum_axis=None)
    with_model.normalizations.record(by_visit)
    rows = (row(0, mjd=NIGHT, teff=4400.0), row(1, mjd=59012, teff=4600.0))
    visits = result(by_visit.id, model().id, rows=rows, minutes=5)
    with_model.results.record(visits)
    assert list(with_model.labels()["result"]) == [stack.id]
    table = with_model.labels(visits=True)
    assert list(table["result"]) == [visits.id] * 2
    assert list(table["mjd"]) == [NIGHT, 59012]
    assert list(table["teff"]) == [4400.0, 4600.0]
    assert list(table["snr"]) == [99.0, 100.0]
    history = with_model.label_tables.history("star")
    assert list(history["result"]) == [stack.id, visits.id, visits.id]
    assert all(history["current"])


def test_the_newest_of_several_results_of_a_content_counts(with_model: Catalog) -> None:
    analysed(with_model, "star", minutes=1)
    newer = result(normalization(content("star")).id, model().id, minutes=2, again=1)
    with_model.results.record(newer)
    assert list(with_model.labels()["result"]) == [newer.id]
    assert list(with_model.label_tables.history("star")["current"]) == [False, True]


def test_telescopes_and_nights_are_filters(with_model: Catalog) -> None:
    for name, night in (("a", NIGHT), ("b", 59012), ("c", NIGHT)):
        analysed(with_model, name, nights=(night,))
    with_model.archive.index([archive_file("c", telescope="lco25m")])
    assert list(with_model.labels()["obj"]) == ["a", "b", "c"]
    assert list(with_model.labels(NIGHT)["obj"]) == ["a", "c"]
    assert list(with_model.labels(NIGHT, telescope="apo25m")["obj"]) == ["a"]
    assert list(with_model.labels(telescope="lco25m")["obj"]) == ["c"]


def test_the_history_of_an_unknown_star_is_empty(with_model: Catalog) -> None:
    table = with_model.label_tables.history("nobody")
    assert (len(table), table.colnames) == (0, [*with_model.labels().colnames, "current", "is_visit"])


def test_history_has_the_labels_of_every_model(with_model: Catalog) -> None:
    with_model.models.record(model("second", labels=("TEFF", "MG_H")))
    analysed(with_model, "star", teff=4000.0)
    analysed(with_model, "star", by="second", minutes=1)
    table = with_model.label_tables.history("star")
    assert {"teff", "logg", "fe_h", "mg_h"} < set(table.colnames)
    assert list(table["current"]) == [True, False]
    assert np.isnan(table["mg_h"][0])


def test_created_is_sorted_by_the_moment_not_by_its_text(with_model: Catalog) -> None:
    analysed(with_model, "star")
    for again, seconds in ((1, 0.2), (2, 0.1)):
        late = replace(result(normalization(content("star")).id, model().id, again=again), created=moment(seconds / 60))
        with_model.results.record(late)
    assert list(with_model.labels()["result"]) == [result(normalization(content("star")).id, model().id, again=1).id]
