"""Files, spectra and visits: what the archive holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.records import FileState, VisitRecord
from tests.apogee_labels.catalog.catalog_samples import NIGHT, archive_file, content, moment, same, spectrum


def test_files_come_back_as_they_were_indexed(catalog: Catalog) -> None:
    files = {file.path: file for file in (archive_file("b"), archive_file("a", digest=content(1)))}
    folder = archive_file("folder.d")
    catalog.archive.index([*files.values(), folder])
    assert catalog.archive.indexed() == files | {folder.path: folder}
    assert catalog.archive.indexed(["/sas/a.fits", "/sas/never.fits"]) == {"/sas/a.fits": files["/sas/a.fits"]}
    assert catalog.archive.indexed([]) == {}


def test_a_directory_has_no_content(catalog: Catalog) -> None:
    catalog.archive.index([replace(archive_file(), digest=None)])
    assert catalog.archive.indexed()["/sas/star.fits"].digest is None


def test_indexing_again_replaces_what_was_known_of_the_path(catalog: Catalog) -> None:
    catalog.archive.index([archive_file(digest=content(1)), archive_file("other")])
    newer = archive_file(digest=content(2), size=5, mtime_ns=1, scanned_at=moment(5))
    catalog.archive.index([newer])
    assert catalog.archive.indexed() == {"/sas/other.fits": archive_file("other"), "/sas/star.fits": newer}


def test_indexing_nothing_is_nothing(catalog: Catalog) -> None:
    catalog.archive.index([])
    catalog.archive.mark_gone([])
    assert catalog.archive.indexed() == {}


def test_a_file_that_is_gone_keeps_its_content_and_can_return(catalog: Catalog) -> None:
    catalog.archive.index([archive_file(), archive_file("other")])
    catalog.archive.mark_gone(["/sas/star.fits", "/sas/star.fits", "/sas/never.fits"])
    gone = catalog.archive.indexed()["/sas/star.fits"]
    assert (gone.state, gone.digest) == (FileState.GONE, content("star"))
    assert gone.scanned_at > archive_file().scanned_at
    assert catalog.archive.indexed()["/sas/other.fits"].state is FileState.PRESENT
    catalog.archive.index([archive_file()])
    assert catalog.archive.indexed()["/sas/star.fits"] == archive_file()


def test_the_paths_of_a_star_are_those_that_hold_it_now(catalog: Catalog) -> None:
    catalog.archive.record_arrivals([spectrum("a"), spectrum("b"), spectrum("c")], [])
    places = {"a": ("a", "z"), "b": ("b",), "c": ("c",)}
    catalog.archive.index(
        [archive_file(name, digest=content(star)) for star, names in places.items() for name in names]
    )
    catalog.archive.mark_gone(["/sas/c.fits"])
    found = catalog.archive.paths_of_stars(["a", "b", "c", "never"])
    assert found == {"a": ["/sas/a.fits", "/sas/z.fits"], "b": ["/sas/b.fits"]}
    assert catalog.archive.paths_of_stars([]) == {}


def test_a_spectrum_is_recorded_once_with_its_visits(catalog: Catalog) -> None:
    seen = spectrum(nights=(NIGHT, NIGHT, 59012))
    assert catalog.spectra.record(seen) is True
    assert catalog.spectra.record(seen) is False
    assert catalog.spectra.get(seen.digest) == seen
    assert catalog.spectra.get(content("other")) is None
    assert [visit.number for visit in catalog.spectra.get(seen.digest).visits] == [1, 2, 3]


def test_what_a_visit_does_not_say_is_not_made_up(catalog: Catalog) -> None:
    visit = VisitRecord(number=1, mjd=NIGHT)
    bare = replace(spectrum(), visits=(visit,), telescope=None, field=None, healpix=7)
    catalog.spectra.record(bare)
    found = catalog.spectra.get(bare.digest)
    assert (found.telescope, found.field, found.healpix) == (None, None, 7)
    assert same(found.visits[0], visit)


def test_more_spectra_than_one_statement_takes(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apogee_labels.catalog.db.rows.CHUNK", 2)
    monkeypatch.setattr("apogee_labels.catalog.db.rows.chunks.__defaults__", (2,))
    for name in range(5):
        catalog.spectra.record(spectrum(str(name)))
    found = catalog.spectra.find(content(str(name)) for name in range(6))
    assert found == {content(str(name)): spectrum(str(name)) for name in range(5)}


def test_a_file_belongs_to_every_night_among_the_visits_of_its_content(catalog: Catalog) -> None:
    catalog.archive.index([archive_file("b"), archive_file("a"), archive_file("south", telescope="lco25m")])
    catalog.spectra.record(spectrum("a", nights=(NIGHT, NIGHT, 59012)))
    catalog.spectra.record(spectrum("b", nights=(NIGHT,)))
    catalog.spectra.record(spectrum("south", nights=(NIGHT,)))
    assert catalog.archive.files_of_night("apo25m", NIGHT) == [archive_file("a"), archive_file("b")]
    assert catalog.archive.files_of_night("apo25m", 59012) == [archive_file("a")]
    assert [file.obj for file in catalog.archive.files_of_night("lco25m", NIGHT)] == ["south"]
    assert catalog.archive.files_of_night("apo25m", 59001) == []


def test_only_the_content_that_is_there_now_decides_the_nights(catalog: Catalog) -> None:
    catalog.spectra.record(spectrum("star", digest=content(1), nights=(NIGHT,)))
    catalog.spectra.record(spectrum("star", digest=content(2), nights=(NIGHT, 59012)))
    catalog.archive.index([archive_file("star", digest=content(1)), archive_file("gone", digest=content(2))])
    catalog.archive.mark_gone(["/sas/gone.fits"])
    assert catalog.archive.files_of_night("apo25m", 59012) == []
    catalog.archive.index([archive_file("star", digest=content(2))])
    assert [file.path for file in catalog.archive.files_of_night("apo25m", 59012)] == ["/sas/star.fits"]


def test_files_of_no_known_night(catalog: Catalog) -> None:
    unread = archive_file("unread", state=FileState.NIGHT_UNKNOWN)
    catalog.archive.index([archive_file("read"), unread, archive_file("gone", state=FileState.NIGHT_UNKNOWN)])
    catalog.archive.index([archive_file("south", telescope="lco25m", state=FileState.NIGHT_UNKNOWN)])
    catalog.archive.mark_gone(["/sas/gone.fits"])
    assert catalog.archive.files_of_no_night("apo25m") == [unread]


def test_arrivals_are_recorded_together_and_once(catalog: Catalog) -> None:
    arrivals = [spectrum(name, nights=(NIGHT, NIGHT + 1)) for name in ("a", "b")]
    for _ in range(2):
        catalog.archive.record_arrivals([*arrivals, arrivals[0]], [archive_file("a"), archive_file("b")])
    assert catalog.spectra.find(item.digest for item in arrivals) == {item.digest: item for item in arrivals}
    assert set(catalog.archive.indexed()) == {"/sas/a.fits", "/sas/b.fits"}
    catalog.archive.record_arrivals([], [])


def test_a_night_is_found_by_its_visits_and_not_by_going_through_the_archive(catalog: Catalog) -> None:
    """SQLite, which keeps no statistics by itself, would take any index of a column that is asked for."""
    statements: list[tuple[str, Any]] = []
    engine = catalog._database._reading
    if engine.dialect.name != "sqlite":
        return
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append((told[2], told[3])))
    catalog.archive.files_of_nights("apo25m", [NIGHT, NIGHT + 1])
    catalog.archive.files_of_no_night("apo25m")
    plans = [_plan(catalog, *asked) for asked in tuple(statements) if asked[0].startswith("SELECT")]
    assert "ix_archive_file_digest" in plans[0]
    assert "ix_visit_mjd" in plans[0]
    assert "ix_archive_file_state" in plans[1]


def _plan(catalog: Catalog, statement: str, parameters: Any) -> str:
    with catalog._database.read() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return " ".join(str(row) for row in rows)


def test_what_is_known_of_paths_is_enough_to_see_a_change(catalog: Catalog) -> None:
    catalog.archive.index([archive_file("a"), archive_file("b", state=FileState.WRITING, digest=content("old"))])
    assert catalog.archive.stats(["/sas/a.fits", "/sas/b.fits", "/sas/never.fits"]) == {
        "/sas/a.fits": (archive_file().size, archive_file().mtime_ns, FileState.PRESENT, content("a")),
        "/sas/b.fits": (archive_file().size, archive_file().mtime_ns, FileState.WRITING, content("old")),
    }


def test_files_that_are_there_are_counted_and_named(catalog: Catalog) -> None:
    catalog.archive.index([archive_file("b"), archive_file("a", state=FileState.WRITING), archive_file("gone")])
    catalog.archive.index([archive_file("south", telescope="lco25m")])
    catalog.archive.mark_gone(["/sas/gone.fits"])
    assert catalog.archive.count("apo25m") == 2
    assert catalog.archive.paths("apo25m") == ["/sas/a.fits", "/sas/b.fits"]


def test_a_file_that_is_being_written_is_nobodys_work(catalog: Catalog) -> None:
    catalog.spectra.record(spectrum("star", nights=(NIGHT,)))
    writing = archive_file("star", state=FileState.WRITING)
    catalog.archive.index([writing, archive_file("new", state=FileState.WRITING, digest=content("unread"))])
    assert catalog.archive.files_of_night("apo25m", NIGHT) == []
    assert catalog.archive.files_of_no_night("apo25m") == []
    assert writing in catalog.archive.files_being_written("apo25m")


def test_files_of_several_nights_come_once(catalog: Catalog) -> None:
    catalog.archive.index([archive_file("a"), archive_file("b")])
    catalog.spectra.record(spectrum("a", nights=(NIGHT, NIGHT + 1)))
    catalog.spectra.record(spectrum("b", nights=(NIGHT + 5,)))
    assert catalog.archive.files_of_nights("apo25m", range(NIGHT, NIGHT + 2)) == [archive_file("a")]
    assert catalog.archive.files_of_nights("apo25m", [NIGHT + 1, NIGHT + 5]) == [archive_file("a"), archive_file("b")]
    assert catalog.archive.files_of_nights("apo25m", []) == []


def test_paths_of_a_night_are_known_whether_they_are_here_or_not(catalog: Catalog) -> None:
    for name in ("here", "gone", "other_night"):
        catalog.archive.index([archive_file(name)])
        catalog.spectra.record(spectrum(name, nights=(NIGHT + (name == "other_night"),)))
    catalog.archive.mark_gone(["/sas/gone.fits"])
    assert catalog.archive.paths_of_night("apo25m", NIGHT) == ["/sas/gone.fits", "/sas/here.fits"]
    assert catalog.archive.paths_of_night("apo25m", NIGHT + 1) == ["/sas/other_night.fits"]
    assert catalog.archive.paths_of_night("lco25m", NIGHT) == []


def test_a_path_whose_content_of_that_night_was_replaced_is_known(catalog: Catalog) -> None:
    catalog.archive.index([archive_file("star", digest=content("newer"))])
    catalog.spectra.record(spectrum("star"))
    assert catalog.archive.paths_of_night("apo25m", NIGHT) == [spectrum("star").path]


def test_the_same_content_at_another_path_is_known_there_too(catalog: Catalog) -> None:
    catalog.spectra.record(spectrum("star"))
    catalog.archive.index([replace(archive_file("copy"), digest=content("star"))])
    assert catalog.archive.paths_of_night("apo25m", NIGHT) == sorted({"/sas/copy.fits", spectrum("star").path})
