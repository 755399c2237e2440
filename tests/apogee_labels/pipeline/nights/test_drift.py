"""Nights that differ are told of, nights that do not are not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from apogee_labels.catalog.queries.results import FittedSpectrum
from apogee_labels.pipeline.nights.drift import (
    FEWEST_NIGHTS,
    FEWEST_STARS,
    Measure,
    NightDrift,
    judge,
    measure_stacks,
    measure_visits,
    measures_of_nights,
    stands_out,
)

NIGHT = 59300
ERRORS = {"TEFF": 20.0, "LOGG": 0.05}


def stack(star: int, nights: int, news: float = 0.0, *, newest: int = NIGHT, **changes: Any) -> FittedSpectrum:
    """A star's stack of so many visits that end on `newest`; its labels lie `news` of the error of one visit off."""
    labels = {name: (5000.0 + news * error, error / math.sqrt(nights)) for name, error in ERRORS.items()}
    values: dict[str, Any] = {
        "result_id": f"{star}-{newest}-{nights}", "digest": f"content {star}-{newest}", "obj": f"star {star}",
        "telescope": "apo25m", "apred": "dr17", "newest": newest, "of_night": newest == NIGHT, "row": 0, "mjd": None,
        "reduced_chi_sq": 1.0 + star / 10, "snr": 100.0 + star, "labels": labels,
    }  # fmt: skip
    return FittedSpectrum(**values | changes)


def by_name(drift: NightDrift) -> dict[str, Measure]:
    return {measure.name: measure for measure in drift.measures}


def slow_judge(values: NDArray[Any], others: list[NDArray[Any]], floor: float) -> bool:
    """Whether a night of single values stands out: the sentence of ARCHITECTURE.md, written out with numpy."""
    medians = np.array([np.median(each) for each in others])
    scatters = [1.4826 * np.median(np.abs(each - np.median(each))) for each in others]
    own = 1.4826 * np.median(np.abs(values - np.median(values)))
    error = np.sqrt(np.pi / 2) * max(own, np.median(scatters)) / np.sqrt(len(values))
    between = 1.4826 * np.median(np.abs(medians - np.median(medians)))
    away = abs(np.median(values) - np.median(medians))
    return bool(away > floor and away > 5 * np.sqrt(between**2 + error**2))


def test_medians_are_of_the_night_s_own_stars() -> None:
    night = [stack(star, 2) for star in range(7)]
    strangers = [stack(20, 3, newest=NIGHT - 1), stack(21, 1), stack(22, 1, newest=NIGHT + 2)]
    listed = {each.result_id for each in [*night, strangers[0], strangers[2]]}
    drift = measure_stacks([*night, *strangers], listed, NIGHT)
    found = by_name(drift)
    assert (drift.n_stars, drift.n_repeats) == (7, 0)
    assert found["rchi2"].median == pytest.approx(1.3)
    assert found["snr"].median == pytest.approx(103.0)
    assert found["snr"].scatter == pytest.approx(1.4826 * np.median(np.abs(np.log(np.arange(100, 107) / 103))))


def test_stacks_share_the_noise_of_their_old_visits() -> None:
    """By many draws: the night's own label against the earlier ones, in units of what such differences scatter by."""
    rng = np.random.default_rng(5)
    old, visits = 3, rng.normal(size=(4000, 4))
    relative, absolute = [], []
    for draws in visits:
        earlier = replace(
            stack(1, old, newest=NIGHT - 5), labels={"TEFF": (20 * draws[:old].mean(), 20 / math.sqrt(old))}
        )
        now = replace(stack(1, old + 1), labels={"TEFF": (20 * draws.mean(), 20 / math.sqrt(old + 1))})
        measure = by_name(measure_stacks([earlier, now], {now.result_id}, NIGHT))["residual_TEFF"]
        relative.append(measure.median)
        absolute.append(measure.absolute)
    assert np.std(relative) == pytest.approx(1.0, abs=0.04)
    assert absolute == pytest.approx(list(20 * (visits[:, old] - visits[:, :old].mean(axis=1))))


def test_repeats_are_against_the_newest_content_from_before() -> None:
    before = [stack(1, 1, 9.0, newest=NIGHT - 30), stack(1, 2, 0.0, newest=NIGHT - 3)]
    other = [stack(1, 2, 9.0, newest=NIGHT - 1, telescope="lco25m"), stack(1, 2, 9.0, newest=NIGHT - 1, apred="r12")]
    night = stack(1, 3, 0.5)
    found = by_name(measure_stacks([night, *before, *other], {night.result_id}, NIGHT))
    assert found["residual_TEFF"].median == pytest.approx(0.5 / math.sqrt(1 / 2 - 1 / 3))
    assert found["residual_TEFF"].absolute == pytest.approx(0.5 * 20 * 3)


@pytest.mark.parametrize(
    "night",
    [
        stack(1, 3, newest=NIGHT + 4, of_night=True),
        stack(1, 2, labels={"TEFF": (math.nan, math.nan)}),
        stack(1, 2, labels={"TEFF": (5000.0, 19.9)}),
        stack(1, 2, labels={}),
    ],
    ids=["seen later as well", "no label", "nothing new", "no labels"],
)
def test_a_stack_that_says_nothing_about_the_night_is_no_repeat(night: FittedSpectrum) -> None:
    drift = measure_stacks([stack(1, 1, newest=NIGHT - 3), night], {night.result_id}, NIGHT)
    assert (drift.n_stars, drift.n_repeats) == (1, 0)
    assert set(by_name(drift)) == {"rchi2", "snr"}


def test_visits_are_against_the_other_visits_of_their_file() -> None:
    rows = [
        stack(1, 1, news, row=row, mjd=NIGHT + row - 2, result_id="one", of_night=True)
        for row, news in enumerate([1.0, 2.0, 6.0])
    ]
    alone = stack(2, 1, 0.0, mjd=NIGHT, result_id="two")
    drift = measure_visits([*rows, alone], {"one", "two"}, NIGHT)
    found = by_name(drift)
    assert (drift.n_stars, drift.n_repeats) == (2, 1)
    assert found["residual_LOGG"].median == pytest.approx(4.5 / math.sqrt(1.5))
    assert found["residual_LOGG"].absolute == pytest.approx(4.5 * 0.05)
    assert found["rchi2"].n == 2


def test_what_is_not_known_does_not_count() -> None:
    night = [stack(star, 1, reduced_chi_sq=value) for star, value in enumerate([math.nan, 0.0, 2.0, math.inf])]
    assert by_name(measure_stacks(night, {each.result_id for each in night}, NIGHT))["rchi2"].median == pytest.approx(
        2.0
    )
    assert measure_stacks([], set(), NIGHT).measures == ()


def drawn(rng: np.random.Generator, n: int, centre: float) -> tuple[NDArray[Any], Measure]:
    values = rng.standard_t(4, n) + centre
    scatter = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return values, Measure("residual_TEFF", float(np.median(values)), scatter, n, 0.0)


def test_the_judgement_is_that_of_the_slow_way() -> None:
    rng, seen = np.random.default_rng(3), set()
    for _ in range(300):
        nights = [
            drawn(rng, int(rng.integers(5, 40)), float(rng.normal(0, 0.3))) for _ in range(int(rng.integers(8, 31)))
        ]
        values, measure = drawn(rng, int(rng.integers(5, 200)), float(rng.normal(0, 3)))
        judged = judge(NightDrift(False, 9, 9, (measure,)), [{"residual_TEFF": other} for _, other in nights])
        expected = slow_judge(values, [others for others, _ in nights], 0.5)
        assert bool(judged.stands_out) == expected
        seen.add(expected)
    assert seen == {True, False}


def ordinary(rng: np.random.Generator, n: int, *, chi_square: float = 1.0, shift: float = 0.0) -> NightDrift:
    """A night of `n` stars, half of them repeats with heavy tails, whose sky is as good or bad as nights are."""
    level, quality, zero = rng.normal(0, 0.05), rng.normal(0, 0.25), rng.normal(0, 0.15)
    chi = chi_square * np.exp(rng.normal(level, 0.25, n))
    snr = np.exp(rng.normal(math.log(120) + quality, 0.5, n))

    def labels() -> dict[str, tuple[float, float]]:
        away = (shift + zero + rng.standard_t(4)) * math.sqrt(0.5)
        return {name: (away * error, error * math.sqrt(0.5)) for name, error in ERRORS.items()}

    rows = [stack(star, 2, reduced_chi_sq=float(chi[star]), snr=float(snr[star]), labels=labels()) for star in range(n)]
    before = [
        replace(stack(star, 1, newest=NIGHT - 9), labels={name: (0.0, error) for name, error in ERRORS.items()})
        for star in range(0, n, 2)
    ]
    return measure_stacks([*rows, *before], {row.result_id for row in rows}, NIGHT)


def flagged(night: NightDrift, before: list[NightDrift]) -> tuple[str, ...]:
    return judge(night, [by_name(other) for other in before]).stands_out


def test_ordinary_nights_are_rarely_told_of() -> None:
    """200 nights one after the other, of 10 to 120 stars, each against the 8 to 30 before it: at most one false alarm."""
    rng = np.random.default_rng(11)
    nights = [ordinary(rng, int(np.exp(rng.uniform(math.log(10), math.log(120))))) for _ in range(200)]
    alarms = [
        place
        for place in range(FEWEST_NIGHTS, len(nights))
        if flagged(nights[place], nights[max(0, place - 30) : place])
    ]
    assert len(alarms) <= 1


@pytest.mark.parametrize(
    ("change", "told"),
    [({"chi_square": 2.0}, "the reduced chi-square is"), ({"shift": 2.5}, "TEFF of repeat stars")],
    ids=["chi-square", "labels"],
)
def test_a_night_that_differs_is_told_of_with_its_numbers(change: dict[str, float], told: str) -> None:
    rng = np.random.default_rng(12)
    before = [ordinary(rng, 60) for _ in range(12)]
    found = flagged(ordinary(rng, 60, **change), before)
    assert any(sentence.startswith(told) for sentence in found)
    assert all("on the 12 nights before" in sentence and "look at" in sentence for sentence in found)


def test_one_that_differs_for_good_becomes_normal_and_a_few_bad_ones_do_not() -> None:
    rng = np.random.default_rng(13)
    good = [ordinary(rng, 60) for _ in range(20)]
    bad = [ordinary(rng, 60, chi_square=2.0) for _ in range(20)]
    assert flagged(bad[-1], [*good, *bad[:4]])
    assert not flagged(bad[-1], [*good[:8], *bad[:19]])


@pytest.mark.parametrize(
    ("n_stars", "n_nights"), [(FEWEST_STARS - 1, 30), (60, FEWEST_NIGHTS - 1)], ids=["few stars", "few nights"]
)
def test_too_little_says_nothing(n_stars: int, n_nights: int) -> None:
    rng = np.random.default_rng(14)
    night = ordinary(rng, n_stars, chi_square=50.0)
    assert flagged(night, [ordinary(rng, 60) for _ in range(n_nights)]) == ()


def test_nights_that_are_all_alike_make_no_small_change_an_alarm() -> None:
    same = Measure("rchi2", 1.0, 0.0, 60)
    before = [{"rchi2": same}] * 30
    assert judge(NightDrift(False, 60, 0, (replace(same, median=1.15),)), before).stands_out == ()
    assert judge(NightDrift(False, 60, 0, (replace(same, median=1.2),)), before).stands_out


def summaries(*nights: tuple[int, NightDrift | None]) -> Iterator[tuple[int, dict[str, Any]]]:
    for mjd, drift in nights:
        yield mjd, {"drift": drift.as_json() if drift else None}


def test_it_comes_back_from_the_summaries_of_runs() -> None:
    rng = np.random.default_rng(15)
    first, second = ordinary(rng, 20), ordinary(rng, 20)
    published = [
        *summaries((9, None), (9, first), (9, second), (8, replace(second, visits=True)), (7, second)),
        (6, {}),
    ]
    assert measures_of_nights(published, visits=False) == [by_name(first), by_name(second)]
    assert measures_of_nights(published, visits=False, number=1) == [by_name(first)]
    told = replace(first, stands_out=("S/N",))
    assert stands_out({"drift": told.as_json()}) == ("S/N",)
    assert stands_out(None) == stands_out({}) == stands_out({"drift": None}) == ()


def test_people_read_it() -> None:
    rng = np.random.default_rng(16)
    drift = ordinary(rng, 20)
    (line,) = drift.lines()
    assert line.startswith("Medians of 20 star(s), 10 seen before: reduced chi-square ")
    assert "TEFF " in line
    assert replace(drift, n_nights=9).lines()[1] == "Nothing stands out against the 9 nights before"
    assert replace(drift, n_nights=9, stands_out=("it rained",)).lines()[1] == "! it rained"
    assert NightDrift(False, 0, 0, ()).lines() == []
