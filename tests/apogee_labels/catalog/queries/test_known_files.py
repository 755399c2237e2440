"""Which files of a night the catalogue knows of."""

from __future__ import annotations

from dataclasses import replace

from apogee_labels.catalog import Catalog
from tests.apogee_labels.catalog.catalog_samples import NIGHT, archive_file, content, spectrum


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
