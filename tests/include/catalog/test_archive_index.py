"""Files, spectra and visits: what the archive holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.catalog import Catalog
from include.catalog.records import FileState, VisitRecord
from tests.include.catalog.catalog_samples import NIGHT, archive_file, content, moment, same, spectrum


def test_files_come_back_as_they_were_indexed(catalog: Catalog) -> None:
    files = {file.path: file for file in (archive_file("b"), archive_file("a", digest=content(1)))}
    folder = archive_file("folder.d")
    catalog.index_files([*files.values(), folder])
    assert catalog.indexed() == files | {folder.path: folder}
    assert catalog.indexed(["/sas/a.fits", "/sas/never.fits"]) == {"/sas/a.fits": files["/sas/a.fits"]}
    assert catalog.indexed([]) == {}


def test_a_directory_has_no_content(catalog: Catalog) -> None:
    catalog.index_files([replace(archive_file(), digest=None)])
    assert catalog.indexed()["/sas/star.fits"].digest is None
    assert [file.path for file in catalog.files_without_spectrum("apo25m")] == ["/sas/star.fits"]


def test_indexing_again_replaces_what_was_known_of_the_path(catalog: Catalog) -> None:
    catalog.index_files([archive_file(digest=content(1)), archive_file("other")])
    newer = archive_file(digest=content(2), size=5, mtime_ns=1, scanned_at=moment(5))
    catalog.index_files([newer])
    assert catalog.indexed() == {"/sas/other.fits": archive_file("other"), "/sas/star.fits": newer}


def test_indexing_nothing_is_nothing(catalog: Catalog) -> None:
    catalog.index_files([])
    catalog.mark_gone([])
    assert catalog.indexed() == {}


def test_a_file_that_is_gone_keeps_its_content_and_can_return(catalog: Catalog) -> None:
    catalog.index_files([archive_file(), archive_file("other")])
    catalog.mark_gone(["/sas/star.fits", "/sas/star.fits", "/sas/never.fits"])
    gone = catalog.indexed()["/sas/star.fits"]
    assert (gone.state, gone.digest) == (FileState.GONE, content("star"))
    assert gone.scanned_at > archive_file().scanned_at
    assert catalog.indexed()["/sas/other.fits"].state is FileState.PRESENT
    catalog.index_files([archive_file()])
    assert catalog.indexed()["/sas/star.fits"] == archive_file()


def test_a_spectrum_is_recorded_once_with_its_visits(catalog: Catalog) -> None:
    seen = spectrum(nights=(NIGHT, NIGHT, 59012))
    assert catalog.record_spectrum(seen) is True
    assert catalog.record_spectrum(seen) is False
    assert catalog.spectrum(seen.digest) == seen
    assert catalog.spectrum(content("other")) is None
    assert [visit.number for visit in catalog.spectrum(seen.digest).visits] == [1, 2, 3]


def test_what_a_visit_does_not_say_is_not_made_up(catalog: Catalog) -> None:
    visit = VisitRecord(number=1, mjd=NIGHT)
    bare = replace(spectrum(), visits=(visit,), telescope=None, field=None, healpix=7)
    catalog.record_spectrum(bare)
    found = catalog.spectrum(bare.digest)
    assert (found.telescope, found.field, found.healpix) == (None, None, 7)
    assert same(found.visits[0], visit)


def test_more_spectra_than_one_statement_takes(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.catalog.part.CHUNK", 2)
    monkeypatch.setattr("include.catalog.part.chunks.__defaults__", (2,))
    for name in range(5):
        catalog.record_spectrum(spectrum(str(name)))
    found = catalog.spectra(content(str(name)) for name in range(6))
    assert found == {content(str(name)): spectrum(str(name)) for name in range(5)}


def test_a_file_belongs_to_every_night_among_the_visits_of_its_content(catalog: Catalog) -> None:
    catalog.index_files([archive_file("b"), archive_file("a"), archive_file("south", telescope="lco25m")])
    catalog.record_spectrum(spectrum("a", nights=(NIGHT, NIGHT, 59012)))
    catalog.record_spectrum(spectrum("b", nights=(NIGHT,)))
    catalog.record_spectrum(spectrum("south", nights=(NIGHT,)))
    assert catalog.files_of_night("apo25m", NIGHT) == [archive_file("a"), archive_file("b")]
    assert catalog.files_of_night("apo25m", 59012) == [archive_file("a")]
    assert [file.obj for file in catalog.files_of_night("lco25m", NIGHT)] == ["south"]
    assert catalog.files_of_night("apo25m", 59001) == []


def test_only_the_content_that_is_there_now_decides_the_nights(catalog: Catalog) -> None:
    catalog.record_spectrum(spectrum("star", digest=content(1), nights=(NIGHT,)))
    catalog.record_spectrum(spectrum("star", digest=content(2), nights=(NIGHT, 59012)))
    catalog.index_files([archive_file("star", digest=content(1)), archive_file("gone", digest=content(2))])
    catalog.mark_gone(["/sas/gone.fits"])
    assert catalog.files_of_night("apo25m", 59012) == []
    catalog.index_files([archive_file("star", digest=content(2))])
    assert [file.path for file in catalog.files_of_night("apo25m", 59012)] == ["/sas/star.fits"]


def test_files_whose_content_was_never_read(catalog: Catalog) -> None:
    catalog.index_files([archive_file(name) for name in ("read", "unread", "gone")])
    catalog.index_files([archive_file("south", telescope="lco25m")])
    catalog.mark_gone(["/sas/gone.fits"])
    catalog.record_spectrum(spectrum("read"))
    assert catalog.files_without_spectrum("apo25m") == [archive_file("unread")]
