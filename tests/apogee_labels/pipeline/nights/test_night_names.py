"""Every way of naming a night, and what is none."""

from __future__ import annotations

import doctest

import pytest

from apogee_labels.apogee.archive.nights import OBSERVATORIES, Observatory, observatory
from apogee_labels.pipeline.nights import backfill, night_names
from apogee_labels.pipeline.nights.night_names import NightNames, parse_nights

APO = observatory("apo25m")


def test_the_example_is_true() -> None:
    assert doctest.testmod(night_names) == doctest.TestResults(failed=0, attempted=2)


@pytest.mark.parametrize("site", OBSERVATORIES.values(), ids=list(OBSERVATORIES))
@pytest.mark.parametrize("mjd", [59228, 59287, 59308, 59409, 59463, 59525])
def test_all_names_of_a_night_lead_back_to_it(site: Observatory, mjd: int) -> None:
    """Also where the clocks change."""
    names = NightNames(site, mjd)
    evening = names.evening.split()[0]
    words = (str(mjd), evening, names.interval[0], names.scheduled_run, names.backfill_run)
    assert [parse_nights(site, [word]) for word in words] == [[mjd]] * len(words)
    manual = f"manual__{evening}_mjd{mjd}_2026-01-01T00:00:00+00:00"
    assert parse_nights(site, [manual]) == [mjd]


@pytest.mark.parametrize(
    ("word", "mjds"),
    [
        ("59280-59282", [59280, 59281, 59282]),
        ("59280..59281", [59280, 59281]),
        ("2021-03-06..2021-03-07", [59280, 59281]),
        ("2021-03-07T16:47:59Z", [59280]),
        ("2021-03-07T16:48", [59281]),
        ("2021-03-07 09:48-07:00", [59281]),
    ],
)
def test_ranges_and_moments(word: str, mjds: list[int]) -> None:
    assert parse_nights(APO, [word]) == mjds


def test_nights_are_in_order_and_each_is_once() -> None:
    assert parse_nights(APO, ["59283", "59280-59281", "2021-03-06"]) == [59280, 59281, 59283]


@pytest.mark.parametrize(
    "word", ["", "5928", "592800", "2021-13-01", "2021-03", "yesterday", "59280-", "..", "99999999", "backfill__x", "T"]
)
def test_what_names_no_night_is_told_the_forms(word: str) -> None:
    with pytest.raises(ValueError, match="names no night: expected 59280, 59280-59286"):
        parse_nights(APO, [word])


@pytest.mark.parametrize(
    ("word", "text"), [("59282-59280", "ends before it begins"), ("10000-99999", "range of 90000 nights")]
)
def test_a_range_is_forwards_and_not_a_misprint(word: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_nights(APO, [word])


def test_stretches_of_nights_and_those_that_are_over() -> None:
    assert doctest.testmod(backfill) == doctest.TestResults(failed=0, attempted=1)
    assert list(backfill.stretches([])) == []
    _, end = APO.interval(59281)
    assert backfill.finished(APO, [59280, 59281], end) == ([59280], [59281])
