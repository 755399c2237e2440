"""From a value to all that made it, in one statement, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from apogee_labels.catalog import Catalog, CatalogError
from apogee_labels.catalog.records import FileState, VerdictOutcome, VerdictRecord
from tests.apogee_labels.catalog.catalog_samples import (
    NIGHT,
    analysed,
    archive_file,
    content,
    model,
    moment,
    normalization,
    result,
    row,
    same,
    spectrum,
)  # fmt: skip


@contextmanager
def statements(catalog: Catalog) -> Iterator[list[str]]:
    """The SELECTs that a catalogue is asked meanwhile."""
    seen: list[str] = []

    def keep(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            seen.append(statement)

    event.listen(catalog._database._reading, "before_cursor_execute", keep)
    try:
        yield seen
    finally:
        event.remove(catalog._database._reading, "before_cursor_execute", keep)


def test_a_value_leads_to_all_that_made_it_in_one_statement(catalog: Catalog) -> None:
    trained = replace(model(), code_version="0.5.0+aaaaaaaaaaaa", normalization={"order": 3}, provenance={"stars": 800})
    made = replace(normalization(content("star")), code_version="0.5.0+bbbbbbbbbbbb")
    verdict = VerdictRecord(
        identity=trained.id, outcome=VerdictOutcome.ACCEPTED, reason="better", model_id=trained.id, decided_by="ann",
        created=moment(1), details={"rms": 1.5},
    )  # fmt: skip
    catalog.models.record(trained)
    catalog.models.record_verdict(verdict)
    catalog.models.put_in_force("giants", trained.id, "ann")
    catalog.archive.index([archive_file()])
    read = spectrum(nights=(NIGHT - 2, NIGHT))
    catalog.spectra.record(read)
    catalog.normalizations.record(made)
    found_before = replace(result(made.id, trained.id), code_version="0.5.0+cccccccccccc")
    catalog.results.record(found_before)
    with statements(catalog) as asked:
        found = catalog.lineage.of_result(found_before.id)
    assert len(asked) == 1
    assert found is not None
    assert same(found.result, found_before)
    assert same(found.normalization, made)
    assert same(found.spectrum, read)
    assert same(found.model, trained)
    assert found.verdict == verdict
    assert found.held_by == "/sas/star.fits"
    assert found.there_now == content("star")
    assert found.in_force is not None
    assert (found.in_force.name, found.in_force.until, found.in_force.decided_by) == ("giants", None, "ann")


def test_what_is_not_there_is_none(catalog: Catalog) -> None:
    catalog.models.record(model())
    made = analysed(catalog, "star", nights=())
    catalog.archive.index([archive_file(state=FileState.GONE)])
    found = catalog.lineage.of_result(made.id)
    assert found is not None
    assert (found.verdict, found.in_force, found.held_by, found.spectrum.visits) == (None, None, None, ())
    assert catalog.lineage.of_result("0" * 64) is None


def test_a_model_whose_place_was_taken_was_in_force_until_then(with_model: Catalog) -> None:
    with_model.models.record(model("second"))
    made = analysed(with_model, "star")
    with_model.models.put_in_force("dwarfs", model("second").id, "bob")
    still = with_model.lineage.of_result(made.id)
    assert still is not None
    assert still.in_force is not None
    assert still.in_force.until is None, "another line of models takes nobody's place"
    with_model.models.put_in_force("giants", model("second").id, "bob")
    found, later = with_model.lineage.of_result(made.id), with_model.models.in_force("giants")
    assert found is not None
    assert later is not None
    assert found.in_force is not None
    assert found.in_force.until is not None
    assert found.in_force.since < found.in_force.until
    with_model.models.put_in_force("giants", model().id, "cyd")
    back = with_model.lineage.of_result(made.id)
    assert back is not None
    assert back.in_force is not None
    assert (back.in_force.decided_by, back.in_force.until) == ("cyd", None)


def test_a_file_that_was_rewritten_is_said_to_be(with_model: Catalog) -> None:
    made = analysed(with_model, "star", digest=content("old"))
    with_model.archive.index([archive_file("star", digest=content("new"))])
    found = with_model.lineage.of_result(made.id)
    assert found is not None
    assert (found.held_by, found.there_now) == (None, content("new"))


def test_a_visit_s_row_has_that_visit(with_model: Catalog) -> None:
    with_model.spectra.record(spectrum(nights=(NIGHT - 2, NIGHT - 1, NIGHT)))
    by_visit = normalization(content("star"), sum_axis=None)
    with_model.normalizations.record(by_visit)
    made = result(by_visit.id, model().id, rows=(row(0, mjd=NIGHT - 2), row(1, mjd=NIGHT)))
    with_model.results.record(made)
    found = with_model.lineage.of_result(made.id)
    assert found is not None
    assert same(found.result, made)
    assert [visit.mjd for visit in found.spectrum.visits] == [NIGHT - 2, NIGHT]


def test_the_beginning_of_an_identity_is_enough(with_model: Catalog) -> None:
    made = [analysed(with_model, f"star {number}") for number in range(5)]
    for each in made:
        found = with_model.lineage.of_result(each.id[:12])
        assert found is not None
        assert found.result.id == each.id
    twin = replace(made[0], id=made[0].id[:20] + "f" * 44)
    with_model.results.record(twin)
    with pytest.raises(CatalogError, match="2 results begin with"):
        with_model.lineage.of_result(made[0].id[:12])
    found = with_model.lineage.of_result(twin.id)
    assert found is not None
    assert found.result.id == twin.id


@pytest.mark.parametrize("name", ["", "abc", "A" * 64, "g" * 12, "0" * 65, "0" * 12 + "%", "' or 1=1 --"])
def test_what_is_no_identity_is_refused(with_model: Catalog, name: str) -> None:
    with pytest.raises(CatalogError, match="expected the identity of a result"):
        with_model.lineage.of_result(name)


def test_a_star_has_its_current_result_by_each_model(with_model: Catalog) -> None:
    second = replace(model("second"), created=moment(60))
    with_model.models.record(second)
    analysed(with_model, "star", digest=content("old"))
    first = analysed(with_model, "star", digest=content("new"))
    newest = analysed(with_model, "star", digest=content("new"), by="second", minutes=5)
    analysed(with_model, "another")
    stack = normalization(content("new"))
    with_model.results.record(result(stack.id, model().id, minutes=-5, again=1))
    by_visit = normalization(content("new"), sum_axis=None)
    with_model.normalizations.record(by_visit)
    visits = result(by_visit.id, model().id, rows=(row(0, mjd=NIGHT),), minutes=-9)
    with_model.results.record(visits)
    found = with_model.lineage.of_star("star")
    assert [each.result.id for each in found] == [newest.id, first.id, visits.id]
    assert with_model.lineage.of_star("nobody") == []
