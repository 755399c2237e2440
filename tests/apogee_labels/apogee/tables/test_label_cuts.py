"""Every cut takes out what it says: each is held against a twin that looks at one entry after the other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from apogee_labels.apogee.tables.cuts import Cuts, FlagCut
from apogee_labels.apogee.tables.label_cuts import CELLS, select
from apogee_labels.apogee.tables.label_table import LabelTable
from tests.apogee_labels.apogee.label_samples import random_table, shuffled

NAMES = ("TEFF", "LOGG", "FE_H")
OPEN: dict[str, Any] = {
    "min_snr": 0.0, "aspcapflag": "off", "starflag": "off", "label_flags": False, "ranges": {}, "max_stars": None,
}  # fmt: skip
"""Cuts that take out nothing but what has no name or no label, and all but one entry of each star."""

UNFIT_BITS = (0, 1, 3, 4, 12, 13, 17, 18, 21, 22)


def row_of(table: LabelTable, row: int) -> dict[str, Any]:
    """One entry as plain values."""
    return {
        "star": str(table.stars[row]),
        **{name: float(column[row]) for name, column in table.values.items()},
        "fe_h_flag": int(table.flags["FE_H"][row]) if "FE_H" in table.flags else 0,
        **{name: int(getattr(table, name)[row]) for name in ("starflag", "aspcapflag", "extratarg")},
        "snr": float(table.snr[row]),
    }


def has(flag: int, bits: Any) -> bool:
    return any(flag >> bit & 1 for bit in bits)


TWINS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = {
    "labels": ({}, lambda _: True),
    "S/N": ({"min_snr": 100.0}, lambda row: row["snr"] >= 100.0),
    "ASPCAPFLAG bad": ({"aspcapflag": "bad"}, lambda row: not has(row["aspcapflag"], range(16, 63))),
    "ASPCAPFLAG any": ({"aspcapflag": FlagCut.ANY}, lambda row: row["aspcapflag"] == 0),
    "STARFLAG bad": ({"starflag": "bad"}, lambda row: not has(row["starflag"], UNFIT_BITS)),
    "STARFLAG any": ({"starflag": "any"}, lambda row: row["starflag"] == 0),
    "label flags": ({"label_flags": True}, lambda row: row["fe_h_flag"] == 0),
    "range": ({"ranges": {"TEFF": [3500, 5300]}}, lambda row: 3500 <= row["TEFF"] <= 5300),
    "half a range": ({"ranges": {"LOGG": [None, 4.0]}}, lambda row: row["LOGG"] <= 4.0),
    "all": (
        {**{name: getattr(Cuts(), name) for name in OPEN}, "max_stars": None},
        lambda row: all(
            (
                row["snr"] >= 100.0, not has(row["aspcapflag"], range(16, 63)), not has(row["starflag"], UNFIT_BITS),
                row["fe_h_flag"] == 0, 3500 <= row["TEFF"] <= 5300, row["LOGG"] <= 4.0,
            )
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("cut", TWINS)
@pytest.mark.parametrize("seed", range(3))
def test_a_cut_keeps_what_its_twin_keeps(cut: str, seed: int) -> None:
    asked, passes = TWINS[cut]
    table = random_table(seed)
    kept: dict[str, dict[str, Any]] = {}
    for row in range(len(table)):
        entry = row_of(table, row) | {"row": row}
        if not entry["star"] or any(np.isnan(entry[name]) for name in NAMES) or not passes(entry):
            continue
        other = kept.get(entry["star"])
        kept[entry["star"]] = entry if other is None or goodness(entry) > goodness(other) else other
    selection = select(table, NAMES, Cuts(**OPEN | asked))
    assert [int(row) for row in selection.rows] == [kept[star]["row"] for star in sorted(kept)]
    assert 0 < len(kept) < len(table)


def goodness(entry: dict[str, Any]) -> tuple[bool, float]:
    return not entry["extratarg"] & 16, np.nan_to_num(entry["snr"])


def test_the_limits_of_a_range_and_the_least_signal_are_included() -> None:
    values = np.array([3499.9, 3500.0, 4000.0, 5300.0, 5300.1])
    table = random_table(
        0,
        5,
        stars=np.array(list("abcde")),
        values=dict.fromkeys(NAMES, values),
        snr=np.array([100.0, 100.0, 99.9, 100.0, 100.0]),
    )
    cuts = Cuts(**OPEN | {"ranges": {"TEFF": [3500, 5300]}, "min_snr": 100.0})
    assert select(table, NAMES, cuts).rows.tolist() == [1, 3]


def test_the_steps_add_up() -> None:
    table = random_table(5)
    selection = select(table, NAMES, Cuts(max_stars=10))
    first, *others = selection.steps
    assert (first.removed, first.left) == (0, len(table))
    assert all(before.left - after.removed == after.left for before, after in pairwise(selection.steps))
    assert all(step.removed > 0 for step in others), "every cut finds something in this table"
    assert selection.steps[-1] == (f"at most {10} stars", selection.steps[-2].left - 10, 10)
    assert [step.cut for step in others[:3]] == ["a name", "known TEFF, LOGG, FE_H", "no flag on a label"]


@pytest.mark.parametrize("max_stars", [None, 30])
def test_the_order_of_the_rows_does_not_matter(max_stars: int | None) -> None:
    table = random_table(7)
    other, order = shuffled(table, seed=1)
    cuts = Cuts(**OPEN | {"max_stars": max_stars})
    one, two = select(table, NAMES, cuts), select(other, NAMES, cuts)
    assert table.stars[one.rows].tolist() == other.stars[two.rows].tolist()
    assert one.rows.tolist() == order[two.rows].tolist()
    assert one.steps == two.steps


def test_a_column_that_is_missing_takes_nothing_out_and_says_so() -> None:
    table = random_table(3, snr=None, aspcapflag=None, starflag=None, extratarg=None, flags={})
    selection = select(table, NAMES, Cuts(max_stars=None, ranges={}))
    without = [step for step in selection.steps if step.cut.endswith("(no such column)")]
    assert len(without) == 4
    assert {step.removed for step in without} == {0}


def crowded() -> LabelTable:
    """A thousand stars alike and five rare ones, fainter than all."""
    rng = np.random.default_rng(11)
    count = 1005
    teff = np.append(rng.uniform(4600.0, 4700.0, 1000), [3600.0, 3700.0, 5100.0, 5200.0, 5290.0])
    teff[:100] = rng.uniform(3600.0, 5290.0, 100)
    return random_table(
        0,
        count,
        stars=np.array([f"star{number:04d}" for number in range(count)]),
        values={"TEFF": teff, "LOGG": np.full(count, 2.0), "FE_H": np.zeros(count)},
        snr=np.append(rng.uniform(200.0, 400.0, 1000), np.full(5, 150.0)),
    )


def test_stars_are_chosen_evenly_over_the_labels_and_the_best_of_each_kind_first() -> None:
    table = crowded()
    rows = select(table, NAMES, Cuts(**OPEN | {"max_stars": 60})).rows
    assert len(rows) == 60
    low, high = np.percentile(table.values["TEFF"], [2.5, 97.5])
    places = np.clip(np.floor((table.values["TEFF"] - low) / (high - low) * CELLS), 0, CELLS - 1)
    counts = np.bincount(places[rows].astype(int), minlength=CELLS)
    there = np.bincount(places.astype(int), minlength=CELLS)
    assert (counts >= np.minimum(there, 60 // CELLS)).all()
    for cell in range(CELLS):
        inside = np.flatnonzero(places == cell)
        best = inside[np.argsort(-table.snr[inside])][: counts[cell]]
        assert set(best) == set(rows[places[rows] == cell])


def test_with_a_cell_a_star_the_highest_signal_counts() -> None:
    rng = np.random.default_rng(2)
    names = tuple(f"X{number}" for number in range(12))
    table = random_table(
        2,
        60,
        stars=np.array([f"star{number:04d}" for number in range(60)]),
        values={name: rng.normal(size=60) for name in names},
        snr=rng.uniform(100.0, 300.0, 60),
    )
    rows = select(table, names, Cuts(**OPEN | {"max_stars": 20})).rows
    assert set(rows) == set(np.argsort(-table.snr)[:20])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_snr": -1.0}, "min_snr: expected 0 or more"),
        ({"max_stars": 0}, "max_stars: expected 1 or more"),
        ({"ranges": {"TEFF": [5000, 4000]}}, "range of TEFF: expected the least value first"),
        ({"ranges": {"TEFF": 4000}}, "ranges of TEFF: expected a list, such as"),
        ({"ranges": {"TEFF": [1, 2, 3]}}, "ranges of TEFF: expected a shorter list"),
        ({"ranges": {"TEFF": ["a", 2]}}, "ranges of TEFF: expected a valid number"),
        ({"starflag": "worse"}, "worse"),
    ],
)
def test_impossible_cuts_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cuts(**wrong)


def test_cuts_come_back_from_json() -> None:
    cuts = Cuts(ranges={"FE_H": (None, 0.5)}, starflag=FlagCut.ANY, max_stars=None)
    assert Cuts(**cuts.as_json()) == cuts
