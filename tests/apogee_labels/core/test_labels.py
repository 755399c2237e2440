"""What is known of a label stands in one entry."""

from __future__ import annotations

import pytest

from apogee_labels.core.labels import LABELS, LabelKind, label_of, with_unit


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("TEFF", "K"),
        ("teff", "K"),
        ("VSINI", "km/s"),
        ("v_rad", "km/s"),
        ("LOGG", "dex"),
        ("MG_FE", "dex"),
        ("AGE", ""),
    ],
)
def test_units(label: str, expected: str) -> None:
    assert label_of(label).unit == expected
    assert with_unit(label) == (f"{label} ({expected})" if expected else label)


def test_a_label_is_found_by_every_spelling_and_no_spelling_is_of_two() -> None:
    spellings = [spelling for label in LABELS for spelling in (label.name, *label.aliases)]
    assert len(set(spellings)) == len(spellings)
    for label in LABELS:
        assert {label_of(spelling.lower()) for spelling in (label.name, *label.aliases)} == {label}


@pytest.mark.parametrize("name", ["FE", "H_TEFF", "AK_WISE"])
def test_a_label_without_an_entry_is_an_abundance_only_by_its_end(name: str) -> None:
    assert label_of(name).kind is LabelKind.OTHER
    assert label_of(f"{name}_H").kind is LabelKind.ABUNDANCE
