"""Reference stars in the catalogue."""

from __future__ import annotations

from dataclasses import replace

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.queries.models import ReferenceStar
from tests.apogee_labels.catalog.catalog_samples import EPOCH, content, moment, normalization, spectrum


def star(name: str, of: str) -> ReferenceStar:
    return ReferenceStar(name=name, normalization_id=normalization(content(of)).id, obj=of, chosen_at=EPOCH)


def test_stars_are_chosen_once_for_each_name_and_do_not_disturb_each_other(catalog: Catalog) -> None:
    for of in ("a", "b"):
        catalog.spectra.record(spectrum(of))
        catalog.normalizations.record(normalization(content(of)))
    catalog.reference_stars.record([star("giants", "b"), star("giants", "a"), star("dwarfs", "b")])
    catalog.reference_stars.record([replace(star("giants", "a"), chosen_at=moment(5)), star("giants", "a")])
    assert catalog.reference_stars.find("giants") == [star("giants", "a"), star("giants", "b")]
    assert catalog.reference_stars.find("dwarfs") == [star("dwarfs", "b")]
    assert catalog.reference_stars.find("none") == []
    assert catalog.reference_stars.normalizations() == {normalization(content(of)).id for of in ("a", "b")}


def test_the_newest_normalisation_of_a_star_comes_first(catalog: Catalog) -> None:
    old, new = (
        normalization(content("a")),
        replace(normalization(content("a")), id=content("another"), created=moment(60)),
    )
    catalog.spectra.record(spectrum("a"))
    catalog.normalizations.record(new)
    catalog.normalizations.record(old)
    assert catalog.normalizations.newest_of_stars(["a", "b"]) == {"a": [new, old]}
