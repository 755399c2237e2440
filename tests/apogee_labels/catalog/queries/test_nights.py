"""Listings of a night's run, and what became of the files."""

from __future__ import annotations

import pytest

from apogee_labels.catalog import Catalog, CatalogError
from apogee_labels.catalog.records import OUTCOMES, FileStatus, NightFile, subject_of_path
from apogee_labels.core.errors import Reason
from tests.apogee_labels.catalog.catalog_samples import (
    EPOCH,
    NIGHT,
    analysed,
    archive_file,
    content,
    expected,
    model,
    moment,
    normalization,
    rejection,
    spectrum,
)

RUN = ("apo25m", NIGHT, "scheduled__2021")


def listed(name: str, state: FileStatus = FileStatus.DUE, digest: str | None = None) -> NightFile:
    return NightFile(path=f"/sas/{name}.fits", digest=digest or content(name), state=state)


def outcome_of(catalog: Catalog, *files: NightFile, pinned: bool = True) -> dict[str, FileStatus]:
    catalog.nights.record_listing(*RUN, model().id if pinned else None, files, listed_at=EPOCH)
    night = catalog.nights.outcome(*RUN, expected=expected, reader_version="1")
    return {file.path[5:-5]: file.outcome for file in night.files}


def test_a_listing_comes_back_and_is_replaced_whole(with_model: Catalog) -> None:
    assert with_model.nights.listing(*RUN) is None
    with_model.nights.record_listing(*RUN, None, [listed("b"), listed("a", FileStatus.COMPLETE)], listed_at=EPOCH)
    first = with_model.nights.listing(*RUN)
    assert first.files == (listed("a", FileStatus.COMPLETE), listed("b"))
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
    assert night.counts == dict.fromkeys(OUTCOMES, 0)


def test_each_outcome(with_model: Catalog) -> None:
    for name in ("done", "before"):
        analysed(with_model, name)
    with_model.archive.index([archive_file("bad"), archive_file("waiting")])
    with_model.rejections.record(rejection(content("bad"), reason=Reason.EMPTY, message="zero bytes"))
    files = [listed("done"), listed("before", FileStatus.COMPLETE), listed("bad"), listed("waiting")]
    with_model.nights.record_listing(*RUN, model().id, files)
    night = with_model.nights.outcome(*RUN, expected=expected, reader_version="1")
    assert (night.telescope, night.mjd, night.run_id, night.model_id) == (*RUN, model().id)
    assert night.counts == {
        FileStatus.DONE: 1,
        FileStatus.COMPLETE: 1,
        FileStatus.REJECTED: 1,
        FileStatus.NORMALIZED: 0,
        FileStatus.FAILED: 1,
    }
    (bad,), (done,) = night.having(FileStatus.REJECTED), night.having(FileStatus.DONE)
    assert (bad.path, bad.reason, bad.message) == ("/sas/bad.fits", Reason.EMPTY, "zero bytes")
    assert done.result_id == expected(content("done"), model().id).result_id


def test_without_a_model_normalising_is_all_there_is_to_do(with_model: Catalog) -> None:
    for name in ("normalized", "waiting"):
        with_model.spectra.record(spectrum(name))
        with_model.archive.index([archive_file(name)])
    with_model.normalizations.record(normalization(content("normalized")))
    found = outcome_of(with_model, listed("normalized"), listed("waiting"), pinned=False)
    assert found == {"normalized": FileStatus.NORMALIZED, "waiting": FileStatus.FAILED}
    assert outcome_of(with_model, listed("normalized"))["normalized"] is FileStatus.FAILED


def test_a_result_by_another_model_does_not_count(with_model: Catalog) -> None:
    with_model.models.record(model("second"))
    analysed(with_model, "star", by="second")
    assert outcome_of(with_model, listed("star")) == {"star": FileStatus.FAILED}


def test_a_rejection_by_another_reader_does_not_count(with_model: Catalog) -> None:
    with_model.rejections.record(rejection(content("star"), reader_version="0"))
    assert outcome_of(with_model, listed("star")) == {"star": FileStatus.FAILED}


def test_a_file_rewritten_during_the_night_is_done_by_either_content(with_model: Catalog) -> None:
    old, new = content("old"), content("new")
    analysed(with_model, "star", digest=old)
    with_model.archive.index([archive_file("star", digest=new)])
    assert outcome_of(with_model, listed("star", digest=old)) == {"star": FileStatus.DONE}
    analysed(with_model, "star", digest=new)
    complete = listed("star", FileStatus.COMPLETE, digest=old)
    assert outcome_of(with_model, complete) == {"star": FileStatus.DONE}
    assert outcome_of(with_model, listed("star", digest=new)) == {"star": FileStatus.DONE}


def test_a_rejected_content_that_was_replaced_by_a_good_one_is_done(with_model: Catalog) -> None:
    with_model.rejections.record(rejection(content("torn")))
    analysed(with_model, "star")
    assert outcome_of(with_model, listed("star", digest=content("torn"))) == {"star": FileStatus.DONE}


def test_a_file_that_vanished_after_it_was_listed_is_rejected(with_model: Catalog) -> None:
    with_model.archive.index([archive_file()])
    with_model.rejections.record(rejection(subject_of_path("/sas/star.fits"), reason=Reason.MISSING, minutes=1))
    assert outcome_of(with_model, listed("star")) == {"star": FileStatus.REJECTED}


def test_a_file_that_was_missing_once_and_is_back_has_work_to_do(with_model: Catalog) -> None:
    with_model.archive.index([archive_file()])
    with_model.rejections.record(rejection(subject_of_path("/sas/star.fits"), reason=Reason.MISSING, minutes=-1))
    assert outcome_of(with_model, listed("star")) == {"star": FileStatus.FAILED}


def test_a_directory_is_rejected_whenever_that_was_found(with_model: Catalog) -> None:
    path = "/sas/star.fits"
    with_model.rejections.record(rejection(subject_of_path(path), reason=Reason.NOT_A_FILE, minutes=-1))
    folder = NightFile(path=path, digest=None, state=FileStatus.REJECTED)
    assert outcome_of(with_model, folder) == {"star": FileStatus.REJECTED}
    never = NightFile(path="/sas/other.fits", digest=None, state=FileStatus.DUE)
    assert outcome_of(with_model, never) == {"other": FileStatus.FAILED}
