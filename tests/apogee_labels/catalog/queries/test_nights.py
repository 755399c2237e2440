"""Listings of a night's run, and what became of the files."""

from __future__ import annotations

import pytest

from apogee_labels.catalog import Catalog, CatalogError
from apogee_labels.catalog.records import Expected, FileOutcome, ListedState, NightFile, subject_of_path
from apogee_labels.core.errors import Reason
from tests.apogee_labels.catalog.catalog_samples import (
    EPOCH,
    NIGHT,
    analysed,
    archive_file,
    content,
    model,
    moment,
    normalization,
    rejection,
    result,
    spectrum,
)

RUN = ("apo25m", NIGHT, "scheduled__2021")


def listed(name: str, state: ListedState = ListedState.DUE, digest: str | None = None) -> NightFile:
    return NightFile(path=f"/sas/{name}.fits", digest=digest or content(name), state=state)


def expected(digest: str, model_id: str | None) -> Expected:
    made = normalization(digest)
    return Expected(made.id, result(made.id, model_id).id if model_id else None)


def outcome_of(catalog: Catalog, *files: NightFile, pinned: bool = True) -> dict[str, FileOutcome]:
    catalog.nights.record_listing(*RUN, model().id if pinned else None, files, listed_at=EPOCH)
    night = catalog.nights.outcome(*RUN, expected=expected, reader_version="1")
    return {file.path[5:-5]: file.outcome for file in night.files}


def test_a_listing_comes_back_and_is_replaced_whole(with_model: Catalog) -> None:
    assert with_model.nights.listing(*RUN) is None
    with_model.nights.record_listing(*RUN, None, [listed("b"), listed("a", ListedState.COMPLETE)], listed_at=EPOCH)
    first = with_model.nights.listing(*RUN)
    assert first.files == (listed("a", ListedState.COMPLETE), listed("b"))
    assert (first.model_id, first.listed_at, first.published_at, first.summary) == (None, EPOCH, None, None)
    with_model.nights.record_publication(*RUN, {"files": 2}, published_at=moment(3))
    with_model.nights.record_listing(*RUN, model().id, [listed("c")], listed_at=moment(5))
    second = with_model.nights.listing(*RUN)
    assert second.files == (listed("c"),)
    assert (second.model_id, second.listed_at, second.published_at) == (model().id, moment(5), None)


def test_runs_do_not_touch_each_other(catalog: Catalog) -> None:
    others = [("apo25m", NIGHT, "manual"), ("apo25m", NIGHT + 1, RUN[2]), ("lco25m", NIGHT, RUN[2])]
    for run in others:
        catalog.nights.record_listing(*run, None, [listed("theirs")])
    catalog.nights.record_listing(*RUN, None, [])
    catalog.nights.record_publication(*RUN, {"files": 0})
    assert catalog.nights.listing(*RUN).files == ()
    for run in others:
        assert catalog.nights.listing(*run).files == (listed("theirs"),)
        assert catalog.nights.listing(*run).summary is None


def test_a_publication_keeps_its_summary(catalog: Catalog) -> None:
    catalog.nights.record_listing(*RUN, None, [])
    catalog.nights.record_publication(*RUN, {"files": 0, "why": {"missing": 1}}, published_at=moment(1))
    found = catalog.nights.listing(*RUN)
    assert (found.summary, found.published_at) == ({"files": 0, "why": {"missing": 1}}, moment(1))


def test_what_was_never_listed_is_neither_published_nor_judged(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="run 'scheduled__2021' of apo25m 59000 has no listing"):
        catalog.nights.record_publication(*RUN, {})
    with pytest.raises(CatalogError, match="record_listing comes first"):
        catalog.nights.outcome(*RUN, expected=expected, reader_version="1")


def test_an_empty_night_has_an_outcome(catalog: Catalog) -> None:
    catalog.nights.record_listing(*RUN, None, [])
    night = catalog.nights.outcome(*RUN, expected=expected, reader_version="1")
    assert night.files == ()
    assert night.counts == dict.fromkeys(FileOutcome, 0)


def test_each_outcome(with_model: Catalog) -> None:
    for name in ("done", "before"):
        analysed(with_model, name)
    with_model.archive.index([archive_file("bad"), archive_file("waiting")])
    with_model.rejections.record(rejection(content("bad"), reason=Reason.EMPTY, message="zero bytes"))
    files = [listed("done"), listed("before", ListedState.COMPLETE), listed("bad"), listed("waiting")]
    with_model.nights.record_listing(*RUN, model().id, files)
    night = with_model.nights.outcome(*RUN, expected=expected, reader_version="1")
    assert (night.telescope, night.mjd, night.run_id, night.model_id) == (*RUN, model().id)
    assert night.counts == {
        FileOutcome.DONE: 1,
        FileOutcome.ALREADY_COMPLETE: 1,
        FileOutcome.REJECTED: 1,
        FileOutcome.NO_MODEL: 0,
        FileOutcome.UNFINISHED: 1,
    }
    (bad,), (done,) = night.having(FileOutcome.REJECTED), night.having(FileOutcome.DONE)
    assert (bad.path, bad.reason, bad.message) == ("/sas/bad.fits", Reason.EMPTY, "zero bytes")
    assert done.result_id == expected(content("done"), model().id).result_id


def test_without_a_model_normalising_is_all_there_is_to_do(with_model: Catalog) -> None:
    for name in ("normalized", "waiting"):
        with_model.spectra.record(spectrum(name))
        with_model.archive.index([archive_file(name)])
    with_model.normalizations.record(normalization(content("normalized")))
    found = outcome_of(with_model, listed("normalized"), listed("waiting"), pinned=False)
    assert found == {"normalized": FileOutcome.NO_MODEL, "waiting": FileOutcome.UNFINISHED}
    assert outcome_of(with_model, listed("normalized"))["normalized"] is FileOutcome.UNFINISHED


def test_a_result_by_another_model_does_not_count(with_model: Catalog) -> None:
    with_model.models.record(model("second"))
    analysed(with_model, "star", by="second")
    assert outcome_of(with_model, listed("star")) == {"star": FileOutcome.UNFINISHED}


def test_a_rejection_by_another_reader_does_not_count(with_model: Catalog) -> None:
    with_model.rejections.record(rejection(content("star"), reader_version="0"))
    assert outcome_of(with_model, listed("star")) == {"star": FileOutcome.UNFINISHED}


def test_a_file_rewritten_during_the_night_is_done_by_either_content(with_model: Catalog) -> None:
    old, new = content("old"), content("new")
    analysed(with_model, "star", digest=old)
    with_model.archive.index([archive_file("star", digest=new)])
    assert outcome_of(with_model, listed("star", digest=old)) == {"star": FileOutcome.DONE}
    analysed(with_model, "star", digest=new)
    complete = listed("star", ListedState.COMPLETE, digest=old)
    assert outcome_of(with_model, complete) == {"star": FileOutcome.DONE}
    assert outcome_of(with_model, listed("star", digest=new)) == {"star": FileOutcome.DONE}


def test_a_rejected_content_that_was_replaced_by_a_good_one_is_done(with_model: Catalog) -> None:
    with_model.rejections.record(rejection(content("torn")))
    analysed(with_model, "star")
    assert outcome_of(with_model, listed("star", digest=content("torn"))) == {"star": FileOutcome.DONE}


def test_a_file_that_vanished_after_it_was_listed_is_rejected(with_model: Catalog) -> None:
    with_model.archive.index([archive_file()])
    with_model.rejections.record(rejection(subject_of_path("/sas/star.fits"), reason=Reason.MISSING, minutes=1))
    assert outcome_of(with_model, listed("star")) == {"star": FileOutcome.REJECTED}


def test_a_file_that_was_missing_once_and_is_back_has_work_to_do(with_model: Catalog) -> None:
    with_model.archive.index([archive_file()])
    with_model.rejections.record(rejection(subject_of_path("/sas/star.fits"), reason=Reason.MISSING, minutes=-1))
    assert outcome_of(with_model, listed("star")) == {"star": FileOutcome.UNFINISHED}


def test_a_directory_is_rejected_whenever_that_was_found(with_model: Catalog) -> None:
    path = "/sas/star.fits"
    with_model.rejections.record(rejection(subject_of_path(path), reason=Reason.NOT_A_FILE, minutes=-1))
    folder = NightFile(path=path, digest=None, state=ListedState.REJECTED)
    assert outcome_of(with_model, folder) == {"star": FileOutcome.REJECTED}
    never = NightFile(path="/sas/other.fits", digest=None, state=ListedState.DUE)
    assert outcome_of(with_model, never) == {"other": FileOutcome.UNFINISHED}
