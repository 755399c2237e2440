"""No key leads out of an archive."""

from __future__ import annotations

import pytest

from apogee_labels.apogee.archive.names import ApStarKeys

GOOD = {"release": "dr17", "apred": "dr17", "telescope": "apo25m", "obj": "2M16505794-2118004", "field": "000+14"}


@pytest.mark.parametrize("key", ["release", "apred", "telescope", "obj", "apstar", "field", "prefix"])
@pytest.mark.parametrize(
    "value", ["../../etc", "..", ".", "", "a/b", "/etc", "a b", "a\nb", "a\0b", "{obj}", "$HOME", 7]
)
def test_a_key_that_is_no_name_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{key} "):
        ApStarKeys(**(GOOD | {key: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["release", "apred", "telescope", "obj", "apstar"])
def test_a_key_that_every_path_needs_cannot_be_none(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} None"):
        ApStarKeys(**(GOOD | {key: None}))  # type: ignore[arg-type]


@pytest.mark.parametrize("healpix", [-1, "12", 1.0, True])
def test_a_healpix_is_a_number(healpix: object) -> None:
    with pytest.raises(ValueError, match="is not a HEALPix number"):
        ApStarKeys(**GOOD, healpix=healpix)  # type: ignore[arg-type]


def test_a_prefix_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="expected ap or as"):
        ApStarKeys(**GOOD, prefix="ax")


@pytest.mark.parametrize(
    ("telescope", "given", "prefix"),
    [("apo25m", None, "ap"), ("lco25m", None, "as"), ("apo1m", None, "ap"), ("lco25m", "ap", "ap")],
)
def test_the_prefix_follows_the_telescope(telescope: str, given: str | None, prefix: str) -> None:
    assert ApStarKeys(**(GOOD | {"telescope": telescope, "prefix": given})).values()["prefix"] == prefix


def test_healpix_groups_are_thousands() -> None:
    assert ApStarKeys(**GOOD, healpix=87654).values()["healpixgrp"] == 87
    assert ApStarKeys(**GOOD, healpix=5).values()["healpixgrp"] == 0
