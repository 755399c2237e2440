"""Normalisations, results and rejections."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from apogee_labels.catalog import Catalog, CatalogError
from apogee_labels.catalog.db import schema
from apogee_labels.catalog.records import NormalizedFile, Stage, WorkKind, subject_of_path, utc_now
from apogee_labels.core.errors import Reason
from tests.apogee_labels.catalog.catalog_samples import (
    LABELS,
    analysed,
    archive_file,
    content,
    model,
    moment,
    normalization,
    rejection,
    result,
    row,
    same,
    spectrum,
)


@pytest.fixture
def normalized(with_model: Catalog) -> str:
    """The identity of a normalised star, in the catalogue of `with_model`."""
    with_model.spectra.record(spectrum())
    with_model.normalizations.record(normalization(content("star")))
    return normalization(content("star")).id


def test_a_normalization_is_recorded_once_and_its_second_making_counted(catalog: Catalog) -> None:
    catalog.spectra.record(spectrum())
    stack, rows = normalization(content("star")), normalization(content("star"), sum_axis=None)
    assert [catalog.normalizations.record(made) for made in (stack, stack, rows, stack)] == [True, False, True, False]
    assert catalog.normalizations.get(stack.id) == stack
    assert catalog.normalizations.get(content("other")) is None
    assert catalog.normalizations.find([stack.id, rows.id, content("other")]) == {stack.id: stack, rows.id: rows}
    assert catalog.duplicates.counts() == {WorkKind.NORMALIZATION: 2, WorkKind.MODEL: 0, WorkKind.RESULT: 0}


def test_what_was_made_again_since_a_moment_is_counted(catalog: Catalog) -> None:
    catalog.spectra.record(spectrum())
    before, made = utc_now(), normalization(content("star"))
    for _ in range(3):
        catalog.normalizations.record(made)
    assert catalog.duplicates.count_since([made.id, made.id, content("other")], before) == 2
    assert catalog.duplicates.count_since([content("other")], before) == catalog.duplicates.count_since([], before) == 0
    assert catalog.duplicates.count_since([made.id], utc_now()) == 0


def test_the_first_record_stands(catalog: Catalog) -> None:
    catalog.spectra.record(spectrum())
    first = normalization(content("star"))
    catalog.normalizations.record(first)
    catalog.normalizations.record(replace(first, path="/elsewhere", seconds=99.0))
    assert catalog.normalizations.get(first.id) == first


def test_a_result_comes_back_with_its_rows_and_labels_in_order(with_model: Catalog, normalized: str) -> None:
    made = result(normalized, model().id, rows=tuple(row(number, mjd=59000 + number) for number in range(3)))
    assert with_model.results.record(made) is True
    assert with_model.results.record(made) is False
    assert with_model.results.get(made.id) == made
    assert [label.name for label in with_model.results.get(made.id).rows[0].labels] == list(LABELS)
    assert with_model.results.existing([made.id, content("other")]) == {made.id}
    assert with_model.results.existing([]) == set()
    assert with_model.results.get(content("other")) is None
    assert with_model.duplicates.counts()[WorkKind.RESULT] == 1


def test_labels_of_a_result_keep_the_order_of_the_model(catalog: Catalog) -> None:
    backwards = model(labels=LABELS[::-1])
    catalog.models.record(backwards)
    catalog.spectra.record(spectrum())
    catalog.normalizations.record(normalization(content("star")))
    shuffled = row(labels=("LOGG", "TEFF", "FE_H"))
    made = result(normalization(content("star")).id, backwards.id, rows=(shuffled,))
    catalog.results.record(made)
    assert [label.name for label in catalog.results.get(made.id).rows[0].labels] == ["FE_H", "LOGG", "TEFF"]


def test_a_result_without_rows_is_one(with_model: Catalog, normalized: str) -> None:
    made = replace(result(normalized, model().id), rows=())
    with_model.results.record(made)
    assert same(with_model.results.get(made.id), made)


@pytest.mark.parametrize("fault", ["two rows of one number", "two labels of one name"])
def test_a_result_is_recorded_whole_or_not_at_all(with_model: Catalog, normalized: str, fault: str) -> None:
    rows = (row(0), row(0)) if fault.startswith("two rows") else (row(labels=("TEFF", "TEFF")),)
    made = result(normalized, model().id, rows=rows)
    with pytest.raises(CatalogError, match="takes no such row"):
        with_model.results.record(made)
    with with_model._database.read() as connection:
        counts = [connection.execute(select(func.count()).select_from(table)).scalar() for table in _RESULT_TABLES]
    assert counts == [0, 0, 0, 0]
    assert with_model.results.existing([made.id]) == set()


_RESULT_TABLES = (schema.result, schema.result_row, schema.label, schema.duplicate_work)


def test_a_result_by_an_unknown_model_is_refused(with_model: Catalog, normalized: str) -> None:
    with pytest.raises(CatalogError, match="that and the model before a result"):
        with_model.results.record(result(normalized, content("no model")))


def test_a_rejection_is_known_by_its_content_and_the_reader(catalog: Catalog) -> None:
    bad = rejection(content("bad"))
    assert catalog.rejections.record(bad) is True
    assert catalog.rejections.record(bad) is False
    subjects = [content("bad"), content("good")]
    assert catalog.rejections.find(subjects, "1") == {content("bad"): bad}
    assert catalog.rejections.find(subjects, "2") == {}
    assert catalog.rejections.find([], "1") == {}
    assert set(catalog.duplicates.counts().values()) == {0}


def test_a_mended_reader_may_reject_again(catalog: Catalog) -> None:
    catalog.rejections.record(rejection(content("bad")))
    again = rejection(content("bad"), reader_version="2", reason=Reason.WRONG_GRID)
    assert catalog.rejections.record(again) is True
    assert catalog.rejections.find([content("bad")], "2") == {content("bad"): again}


def test_a_rejection_that_is_met_again_takes_the_new_time_and_text(catalog: Catalog) -> None:
    subject = subject_of_path("/sas/star.fits")
    catalog.rejections.record(rejection(subject, reason=Reason.MISSING))
    later = rejection(subject, reason=Reason.NOT_A_FILE, minutes=9, message="a directory")
    assert catalog.rejections.record(later) is False
    assert catalog.rejections.find([subject], "1") == {subject: later}


def test_the_newest_rejection_of_a_subject_counts(catalog: Catalog) -> None:
    newest = rejection(content("bad"), stage=Stage.NORMALIZE, reason=Reason.NO_CONTINUUM, minutes=2)
    for found in (rejection(content("bad"), minutes=1), newest, rejection(content("bad"), stage=Stage.INFER)):
        assert catalog.rejections.record(found) is True
    assert catalog.rejections.find([content("bad")], "1") == {content("bad"): newest}


def test_every_reason_can_be_stored(catalog: Catalog) -> None:
    for reason in Reason:
        catalog.rejections.record(rejection(content(reason.value), reason=reason))
    found = catalog.rejections.find([content(reason.value) for reason in Reason], "1")
    assert {item.reason for item in found.values()} == set(Reason)


def test_another_content_is_another_result(with_model: Catalog) -> None:
    first = analysed(with_model, "star", digest=content(1))
    second = analysed(with_model, "star", digest=content(2), minutes=moment(1).minute)
    assert with_model.results.existing([first.id, second.id]) == {first.id, second.id}


def files(*names: str) -> list[NormalizedFile]:
    """What reading and normalising these stars' files gave."""
    return [
        NormalizedFile(normalization(content(name)), archive_file(name), spectrum(name, nights=(59000, 59001)))
        for name in names
    ]


def test_many_files_are_recorded_as_one_by_one(catalog: Catalog) -> None:
    catalog.spectra.record(replace(spectrum("b"), path="/first/b.fits"))
    catalog.normalizations.record_files(files("c", "a", "b"))
    digests = [content(name) for name in "abc"]
    assert {file.obj for file in catalog.archive.indexed().values()} == {"a", "b", "c"}
    found = catalog.spectra.find(digests)
    assert found[content("a")] == spectrum("a", nights=(59000, 59001))
    assert found[content("b")].path == "/first/b.fits", "the first record stands"
    assert set(catalog.normalizations.find(normalization(digest).id for digest in digests)) == {
        normalization(digest).id for digest in digests
    }
    catalog.normalizations.record_files([NormalizedFile(normalization(content("a"), sum_axis=None))])
    assert catalog.duplicates.counts()[WorkKind.NORMALIZATION] == 0
    catalog.normalizations.record_files([*files("a", "d"), *files("d")])
    assert catalog.duplicates.counts()[WorkKind.NORMALIZATION] == 2, "a again, and d twice at once"


def test_many_files_are_recorded_all_or_none(catalog: Catalog) -> None:
    made = NormalizedFile(normalization(content("nobody read it")))
    with pytest.raises(CatalogError, match="takes no such row"):
        catalog.normalizations.record_files([*files("a"), made])
    assert (catalog.archive.indexed(), catalog.spectra.find([content("a")])) == ({}, {})


def test_many_results_are_recorded_as_one_by_one(with_model: Catalog) -> None:
    with_model.normalizations.record_files(files("a", "b", "c"))
    made = [result(normalization(content(name)).id, model().id, rows=(row(0), row(1))) for name in "abc"]
    assert with_model.results.record(made[1]) is True
    assert with_model.results.record_all([*made, made[2]]) == {made[0].id, made[2].id}
    assert [with_model.results.get(each.id) for each in made] == made
    assert with_model.duplicates.counts()[WorkKind.RESULT] == 2
    assert with_model.results.record_all([]) == set()


def test_a_rejection_counts_no_more_once_the_content_was_normalised(catalog: Catalog) -> None:
    """Somebody had it tried again: with a mended disk, or a reader whose version was forgotten."""
    other = normalization(content("good"), sum_axis=None)
    for subject in (content("star"), other.id, content("bad")):
        catalog.rejections.record(rejection(subject))
    catalog.normalizations.record_files(files("star", "good"))
    assert catalog.rejections.find([content("star"), other.id, content("bad")], "1").keys() == {
        other.id,
        content("bad"),
    }
    catalog.normalizations.record(other)
    assert catalog.rejections.find([other.id], "1") == {}


def test_the_files_that_hold_a_content_are_known_those_that_are_there_first(catalog: Catalog) -> None:
    catalog.spectra.record(replace(spectrum("star"), path="/first/star.fits"))
    gone, there = archive_file("a", digest=content("star")), archive_file("b", digest=content("star"))
    catalog.archive.index([gone, there, archive_file("other")])
    catalog.archive.mark_gone([gone.path])
    assert [file.path for file in catalog.archive.files_with([content("star"), content("x")])[content("star")]] == [
        there.path,
        gone.path,
    ]
    assert catalog.archive.paths_of(content("star")) == [there.path, gone.path, "/first/star.fits"]
    assert catalog.archive.paths_of(content("nothing")) == []
