"""Processes that do the same at the same moment: recorded once, counted, and nobody is refused for being busy."""

from __future__ import annotations

import multiprocessing

from sqlalchemy import URL, func, select

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db import schema
from apogee_labels.catalog.records import FileStatus, NightFile, NormalizedFile, WorkKind
from tests.apogee_labels.catalog.catalog_samples import (
    archive_file,
    content,
    model,
    normalization,
    rejection,
    result,
    row,
    spectrum,
    together,
)

PROCESSES = 8
STARS = 6
BATCH, REPEATS = 20, 2
ROWS = tuple(row(number, mjd=59000 + number) for number in range(3))


def _analyse_all(place: int, url: URL) -> dict[str, int]:
    """Do every step of every star, as if nobody else did, beginning at another star in each process."""
    recorded = dict.fromkeys(("spectrum", "normalization", "result", "rejection", "force"), 0)
    with Catalog.open(url) as catalog:
        recorded["force"] = catalog.models.put_in_force("giants", model().id, f"process {place}")
        for step in range(STARS):
            name = str((place + step) % STARS)
            catalog.archive.index([archive_file(str(star)) for star in range(STARS)])
            recorded["spectrum"] += catalog.spectra.record(spectrum(name, nights=(59000, 59001)))
            made = normalization(content(name))
            recorded["normalization"] += catalog.normalizations.record(made)
            recorded["result"] += catalog.results.record(result(made.id, model().id, rows=ROWS))
            recorded["rejection"] += catalog.rejections.record(rejection(content(f"bad {name}")))
    return recorded


def _record_batches(place: int, url: URL) -> int:
    """Record every star in one transaction, in an order of one's own, many times; the results that were new."""
    n_new = 0
    with Catalog.open(url) as catalog:
        for repeat in range(REPEATS):
            stars = [f"{star} {repeat}" for star in range(BATCH)][:: 1 if place % 2 else -1]
            made = [normalization(content(star)) for star in stars]
            files = zip(made, stars, strict=True)
            catalog.normalizations.record_files(
                [NormalizedFile(each, archive_file(star), spectrum(star, nights=(59000,))) for each, star in files]
            )
            new = catalog.results.record_all([result(each.id, model().id, rows=ROWS) for each in made])
            n_new += len(new)
    return n_new


def test_batches_that_meet_wait_for_each_other_and_never_both(catalog: Catalog) -> None:
    catalog.models.record(model())
    assert sum(together(PROCESSES, _record_batches, catalog._database.url)) == BATCH * REPEATS
    again = (PROCESSES - 1) * BATCH * REPEATS
    assert catalog.duplicates.counts() == {WorkKind.NORMALIZATION: again, WorkKind.MODEL: 0, WorkKind.RESULT: again}


def test_work_that_meets_itself_is_recorded_once_and_counted(catalog: Catalog) -> None:
    catalog.models.record(model())
    recorded = together(PROCESSES, _analyse_all, catalog._database.url)
    totals = {key: sum(item[key] for item in recorded) for key in recorded[0]}
    assert totals == {"spectrum": STARS, "normalization": STARS, "result": STARS, "rejection": STARS, "force": 1}
    again = (PROCESSES - 1) * STARS
    assert catalog.duplicates.counts() == {WorkKind.NORMALIZATION: again, WorkKind.MODEL: 0, WorkKind.RESULT: again}
    made = normalization(content("0"))
    assert catalog.results.get(result(made.id, model().id).id) == result(made.id, model().id, rows=ROWS)
    with catalog._database.read() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar()
            for table in schema.metadata.sorted_tables
        }
    assert counts == {
        "archive_file": STARS,
        "spectrum": STARS,
        "visit": 2 * STARS,
        "normalization": STARS,
        "result": STARS,
        "result_row": 3 * STARS,
        "label": 9 * STARS,
        "in_force": 1,
        "reference_star": 0,
        "model": 1,
        "rejection": STARS,
        "duplicate_work": 2 * again,
        "verdict": 0,
        "night_run": 0,
        "night_file": 0,
    }


def _index(place: int, url: URL) -> None:
    files = [archive_file(str(star), size=place) for star in range(200)]
    with Catalog.open(url) as catalog:
        for _ in range(5):
            catalog.archive.index(files if place % 2 else files[::-1])
            catalog.archive.mark_gone(file.path for file in files[::-1])


def test_indexing_the_same_files_in_any_order_does_not_deadlock(catalog: Catalog) -> None:
    together(4, _index, catalog._database.url)
    assert len(catalog.archive.indexed()) == 200


def _list(place: int, url: URL) -> None:
    files = [NightFile(path=f"/sas/{star}", digest=None, state=FileStatus.DUE) for star in range(20)]
    with Catalog.open(url) as catalog:
        for _ in range(5):
            catalog.nights.record_listing("apo25m", 59000, "run", None, files[place:])


def test_listing_one_run_twice_at_once_leaves_one_of_them_whole(catalog: Catalog) -> None:
    together(4, _list, catalog._database.url)
    assert len(catalog.nights.listing("apo25m", 59000, "run").files) in (17, 18, 19, 20)


def _write_and_read(place: int, url: URL) -> int:
    with Catalog.open(url) as catalog:
        for step in range(20):
            if place % 2:
                catalog.spectra.record(spectrum(f"{place} {step}"))
            else:
                catalog.archive.files_of_night("apo25m", 59000)
    return place


def test_readers_and_writers_wait_for_each_other(catalog: Catalog) -> None:
    together(PROCESSES, _write_and_read, catalog._database.url)
    written = [content(f"{place} {step}") for place in range(1, PROCESSES, 2) for step in range(20)]
    assert len(catalog.spectra.find(written)) == len(written)


def test_a_forked_process_may_use_the_catalogue_of_its_parent(catalog: Catalog) -> None:
    catalog.spectra.record(spectrum("before"))
    child = multiprocessing.get_context("fork").Process(target=catalog.spectra.record, args=(spectrum("child"),))
    child.start()
    catalog.spectra.record(spectrum("parent"))
    child.join()
    assert child.exitcode == 0
    assert len(catalog.spectra.find(map(content, ("before", "child", "parent")))) == 3
