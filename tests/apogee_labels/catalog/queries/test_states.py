"""What became of the files of nights, against the obvious slow answer: each file asked for by its identities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, event

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.queries.states import MadeWith, NightRange
from apogee_labels.catalog.records import ArchiveFile, FileState, FileStatus, Night, NightFile, SpectrumRecord
from tests.apogee_labels.catalog.catalog_samples import (
    EPOCH,
    NIGHT,
    archive_file,
    content,
    expected,
    model,
    moment,
    normalization,
    rejection,
    result,
    spectrum,
)

TELESCOPE = "apo25m"
ONE = NightRange([TELESCOPE], NIGHT, NIGHT)
RUN = "scheduled__2021"


def made_with(model_id: str | None = model().id) -> MadeWith:
    sample = normalization("any")
    return MadeWith(
        normalizations=[sample.parameters],
        inference=result("any", "any").parameters,
        model_id=model_id,
        reader_version="1",
    )


@contextmanager
def statements(catalog: Catalog) -> Iterator[list[str]]:
    """What is sent to the database in a block, but for the settings of a connection."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def seen(catalog: Catalog, name: str, nights: tuple[int, ...] = (NIGHT,), **changes: Any) -> str:
    """A file is in the index, its content was read; returns its digest."""
    file = archive_file(name, **changes)
    catalog.archive.index([file])
    catalog.spectra.record(spectrum(name, digest=file.digest, nights=nights))
    return str(file.digest)


def normalized(catalog: Catalog, digest: str, **changes: Any) -> str:
    made = normalization(digest, **changes)
    catalog.normalizations.record(made)
    return made.id


def inferred(catalog: Catalog, digest: str, by: str | None = None) -> None:
    catalog.results.record(result(normalized(catalog, digest), by or model().id))


def listed(
    catalog: Catalog, *names: str, run_id: str = RUN, by: str | None = model().id, published: bool = True,
    mjd: int = NIGHT, minutes: float = 0, state: FileStatus = FileStatus.DUE, digest: str | None = None,
) -> None:  # fmt: skip
    files = [NightFile(path=f"/sas/{name}.fits", digest=digest or content(name), state=state) for name in names]
    catalog.nights.record_listing(TELESCOPE, mjd, run_id, by, files, listed_at=moment(minutes))
    if published:
        catalog.nights.record_publication(
            TELESCOPE, mjd, run_id, {"listed": len(files)}, published_at=moment(minutes + 1)
        )


def status_of(catalog: Catalog, name: str, made: MadeWith | None = None) -> FileStatus | None:
    found = {file.path: file.status for file in catalog.states.files(ONE, made or made_with(), expected)}
    return found.get(f"/sas/{name}.fits")


def test_a_result_by_the_model_in_force_is_done(with_model: Catalog) -> None:
    inferred(with_model, seen(with_model, "a"))
    assert status_of(with_model, "a") is FileStatus.DONE


@pytest.mark.parametrize("published", [True, False])
def test_a_result_with_other_parameters_or_of_another_content_does_not_count(
    with_model: Catalog, published: bool
) -> None:
    experiment = normalized(with_model, seen(with_model, "a"), sum_axis=None)
    with_model.results.record(result(experiment, model().id))
    inferred(with_model, seen(with_model, "b", digest=content("older")))
    seen(with_model, "b", digest=content("newer"))
    listed(with_model, "a", "b", published=published)
    wanted = FileStatus.FAILED if published else FileStatus.UNDER_WAY
    assert (status_of(with_model, "a"), status_of(with_model, "b")) == (wanted, FileStatus.WAITING)


def test_what_no_run_took_since_its_content_came_waits(with_model: Catalog) -> None:
    seen(with_model, "late")
    seen(with_model, "mended_reader")
    listed(with_model, "mended_reader", state=FileStatus.REJECTED)
    normalized(with_model, seen(with_model, "from_a_notebook"))
    names = ("late", "mended_reader", "from_a_notebook")
    assert {status_of(with_model, name) for name in names} == {FileStatus.WAITING}


def test_the_last_run_that_took_a_file_decides_whichever_night_it_is_of(with_model: Catalog) -> None:
    seen(with_model, "a", nights=(NIGHT, NIGHT + 3))
    listed(with_model, "a", run_id="crashed", published=False, minutes=0)
    listed(with_model, "a", run_id="second", mjd=NIGHT + 3, minutes=5)
    assert status_of(with_model, "a") is FileStatus.FAILED
    listed(with_model, "a", run_id="third", mjd=NIGHT + 3, published=False, minutes=10)
    assert status_of(with_model, "a") is FileStatus.UNDER_WAY


def test_without_a_model_what_is_normalised_waits_for_one(catalog: Catalog) -> None:
    normalized(catalog, seen(catalog, "a"))
    seen(catalog, "b")
    listed(catalog, "a", "b", by=None)
    assert status_of(catalog, "a", made_with(None)) is FileStatus.NORMALIZED
    assert status_of(catalog, "b", made_with(None)) is FileStatus.FAILED


@pytest.mark.parametrize("former", [None, model("former").id])
def test_what_runs_of_another_model_took_is_outdated(with_model: Catalog, former: str | None) -> None:
    with_model.models.record(model("former"))
    digest = seen(with_model, "a")
    if former:
        inferred(with_model, digest, by=former)
    else:
        normalized(with_model, digest)
    listed(with_model, "a", by=former)
    assert status_of(with_model, "a") is FileStatus.OUTDATED
    listed(with_model, "a", run_id="again", minutes=5)
    assert status_of(with_model, "a") is FileStatus.FAILED


@pytest.mark.parametrize(
    ("state", "status"), [(FileState.GONE, FileStatus.GONE), (FileState.WRITING, FileStatus.WRITING)]
)
def test_what_the_scan_found_comes_first(with_model: Catalog, state: FileState, status: FileStatus) -> None:
    inferred(with_model, seen(with_model, "a", state=state))
    assert status_of(with_model, "a") is status


def test_a_content_is_rejected_by_this_version_of_the_reader_only(with_model: Catalog) -> None:
    with_model.rejections.record(rejection(seen(with_model, "a")))
    with_model.rejections.record(rejection(seen(with_model, "b"), reader_version="0"))
    listed(with_model, "a", "b")
    assert (status_of(with_model, "a"), status_of(with_model, "b")) == (FileStatus.REJECTED, FileStatus.FAILED)


def test_an_unreadable_file_belongs_to_the_night_whose_run_met_it(with_model: Catalog) -> None:
    with_model.archive.index([archive_file("torn"), archive_file("unmet")])
    listed(with_model, "torn")
    listed(with_model, "torn", run_id="again")
    assert [file.path for file in with_model.states.files(ONE, made_with(), expected)] == ["/sas/torn.fits"]
    with_model.rejections.record(rejection(content("torn")))
    assert status_of(with_model, "torn") is FileStatus.REJECTED
    seen(with_model, "torn", digest=content("mended"), nights=(NIGHT + 9,))
    assert status_of(with_model, "torn") is None, "now its night is known"


def test_a_folder_with_the_name_of_a_file_has_no_content(with_model: Catalog) -> None:
    with_model.archive.index([ArchiveFile(**_folder())])
    with_model.nights.record_listing(
        TELESCOPE, NIGHT, RUN, None, [NightFile(path="/sas/folder.fits", digest=None, state=FileStatus.DUE)]
    )
    assert status_of(with_model, "folder") is FileStatus.UNDER_WAY


def _folder() -> dict[str, Any]:
    return {
        "path": "/sas/folder.fits", "telescope": TELESCOPE, "obj": "folder", "size": 0, "mtime_ns": 0, "digest": None,
        "scanned_at": EPOCH,
    }  # fmt: skip


def test_a_star_that_was_observed_twice_in_a_night_is_one_file(with_model: Catalog) -> None:
    seen(with_model, "a", nights=(NIGHT, NIGHT, NIGHT + 1, NIGHT))
    assert with_model.states.count(NightRange([TELESCOPE], NIGHT, NIGHT + 1), made_with(), expected) == {
        Night(TELESCOPE, NIGHT): {FileStatus.WAITING: 1},
        Night(TELESCOPE, NIGHT + 1): {FileStatus.WAITING: 1},
    }


def test_a_rejection_of_one_normalisation_or_of_an_older_content_at_the_path(with_model: Catalog) -> None:
    digest = seen(with_model, "a")
    inferred(with_model, seen(with_model, "done"))
    seen(with_model, "b")
    listed(with_model, "a", "b")
    made = normalization(digest)
    for subject, name in ((made.id, "a"), (content("older"), "b"), (content("any"), "done")):
        with_model.rejections.record(rejection(subject, path=f"/sas/{name}.fits"))
    assert [status_of(with_model, name) for name in ("a", "b", "done")] == [
        FileStatus.REJECTED, FileStatus.FAILED, FileStatus.DONE,
    ]  # fmt: skip
    (rejected,) = (file for file in with_model.states.files(ONE, made_with(), expected) if file.reason)
    assert (rejected.path, rejected.message) == ("/sas/a.fits", rejection(made.id).message)
    assert with_model.states.count(ONE, made_with(), expected)[Night(TELESCOPE, NIGHT)] == {
        FileStatus.REJECTED: 1, FileStatus.FAILED: 1, FileStatus.DONE: 1,
    }  # fmt: skip


def test_a_content_that_was_normalised_after_all_is_not_rejected_any_more(with_model: Catalog) -> None:
    digest = seen(with_model, "a")
    with_model.rejections.record(rejection(digest))
    normalized(with_model, digest)
    listed(with_model, "a")
    assert status_of(with_model, "a") is FileStatus.FAILED


def test_a_thousand_nights_are_counted_in_two_statements_and_rightly(with_model: Catalog) -> None:
    """Files of random fates; the twin asks of each file and night what the statement asks of all."""
    random = np.random.default_rng(7)
    made, last = made_with(), NIGHT + 999
    names = [f"star{place}" for place in range(150)]
    for place, name in enumerate(names):
        nights = tuple(int(mjd) for mjd in NIGHT + random.integers(0, 1000, 3))
        state = FileState(random.choice(["present", "present", "present", "gone", "writing"]))
        digest = seen(with_model, name, nights=nights, state=state)
        fate = random.integers(5)
        if fate > 1:
            normalized(with_model, digest)
        if fate > 2:
            with_model.results.record(result(normalization(digest).id, model().id))
        if fate == 0 and place % 2:
            with_model.rejections.record(rejection(digest))
        if random.integers(2):
            listed(with_model, name, run_id=f"run{place}", mjd=nights[0], published=bool(random.integers(2)))
    with statements(with_model) as sent:
        counts = with_model.states.count(NightRange([TELESCOPE], NIGHT, last), made, expected)
    assert len(sent) == 2
    assert counts == slow_counts(with_model, names, made)
    assert {status for of_night in counts.values() for status in of_night} >= {
        FileStatus.DONE, FileStatus.REJECTED, FileStatus.FAILED, FileStatus.UNDER_WAY, FileStatus.WAITING,
    }  # fmt: skip


def slow_counts(catalog: Catalog, names: list[str], made: MadeWith) -> dict[Night, Counter[FileStatus]]:
    counts: dict[Night, Counter[FileStatus]] = {}
    for name in names:
        (file,) = catalog.archive.indexed([f"/sas/{name}.fits"]).values()
        found = catalog.spectra.get(str(file.digest))
        assert isinstance(found, SpectrumRecord)
        status = slow_status(catalog, file, name)
        for mjd in {visit.mjd for visit in found.visits}:
            counts.setdefault(Night(TELESCOPE, mjd), Counter())[status] += 1
    return counts


def slow_status(catalog: Catalog, file: Any, name: str) -> FileStatus:
    if file.state is not FileState.PRESENT:
        return FileStatus(file.state.value)
    made = normalization(file.digest)
    if catalog.results.existing([result(made.id, model().id).id]):
        return FileStatus.DONE
    if catalog.rejections.find([file.digest], "1"):
        return FileStatus.REJECTED
    run_id = f"run{name.removeprefix('star')}"
    if night := catalog.nights.of_run(TELESCOPE, run_id):
        listing = catalog.nights.listing(*night, run_id)
        return FileStatus.FAILED if listing and listing.published_at else FileStatus.UNDER_WAY
    return FileStatus.WAITING


def test_runs_come_in_the_order_of_their_listings_with_what_they_listed(with_model: Catalog) -> None:
    listed(with_model, "a", "b", run_id="second", minutes=5)
    listed(with_model, "c", run_id="first", state=FileStatus.COMPLETE, published=False)
    listed(with_model, "c", run_id="of another night", mjd=NIGHT + 1)
    runs = with_model.nights.runs(ONE)
    assert [(run.run_id, run.published_at is None) for run in runs] == [("first", True), ("second", False)]
    assert with_model.nights.count_listed(Night(TELESCOPE, NIGHT)) == {
        "first": {FileStatus.COMPLETE: 1},
        "second": {FileStatus.DUE: 2},
    }
    assert with_model.nights.of_run(TELESCOPE, "of another night") == Night(TELESCOPE, NIGHT + 1)
    assert with_model.nights.of_run("lco25m", "first") is None


def test_recent_nights_have_a_file_or_a_run(with_model: Catalog) -> None:
    seen(with_model, "a", nights=(NIGHT, NIGHT + 2, NIGHT + 5))
    listed(with_model, run_id="empty", mjd=NIGHT + 3)
    assert with_model.nights.recent([TELESCOPE], 1, NIGHT + 9) == [NIGHT + 5]
    assert with_model.nights.recent([TELESCOPE], 2, NIGHT + 4) == [NIGHT + 3, NIGHT + 2]
    assert with_model.nights.recent([TELESCOPE], 9, NIGHT + 9) == [NIGHT + 5, NIGHT + 3, NIGHT + 2, NIGHT]
