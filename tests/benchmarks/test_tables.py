"""What is printed: units, ratios, targets, and where a baseline is from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import baselines
from benchmarks.baselines import Baseline
from benchmarks.quantities import Quantity, gain_text
from benchmarks.report import Row, main_table, table
from benchmarks.works import WORKS, Work


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the other implementations' figures would be; there are none yet."""
    monkeypatch.setattr(baselines, "RESULTS", tmp_path / "results.json")
    return tmp_path / "results.json"


def work(quantity: Quantity = Quantity.SECONDS, target: float | None = 1.0, key: str = "train-3") -> Work:
    return Work(key, "train", quantity, target, lambda bench: 0.5)


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [
        (Quantity.SECONDS, 0.853, "0.85 s"),
        (Quantity.SECONDS, 21.2, "21 s"),
        (Quantity.SECONDS, 170.0, "2.8 min"),
        (Quantity.SECONDS, 11_880.0, "3.3 h"),
        (Quantity.RATE, 7932.0, "7,930/s"),
        (Quantity.RATE, 17.2, "17/s"),
        (Quantity.RATE, 12_345.0, "12,300/s"),
        (Quantity.MILLISECONDS, 1.96, "2.0 ms"),
        (Quantity.MEGABYTES, 480.4, "480 MB"),
    ],
)
def test_values_are_written_with_their_unit(quantity: Quantity, value: float, text: str) -> None:
    assert quantity.text(value) == text


def test_less_time_and_more_spectra_are_better() -> None:
    assert Quantity.SECONDS.gain(2.0, 20.0) == 10.0
    assert Quantity.RATE.gain(2000.0, 20.0) == 100.0
    assert Quantity.SECONDS.reaches(1.0, 1.0)
    assert not Quantity.SECONDS.reaches(1.1, 1.0)
    assert not Quantity.RATE.reaches(4999.0, 5000.0)
    assert gain_text(218.4) == "218 x"


def test_row_says_value_baseline_ratio_and_target() -> None:
    text = main_table([Row(work(), 0.5, Baseline(21.0, "Other", stated=True))])
    cells = [cell.strip() for cell in text.splitlines()[2].strip("|").split("|")]
    assert cells == ["train", "0.50 s", "21 s (Other, stated)", "42 x", "1.0 s: reached"]


def test_row_that_was_not_measured_says_why() -> None:
    text = main_table([Row(work(), None, None, "too few labels")])
    assert "not measured: too few labels" in text
    assert "reached" not in text


def test_columns_of_a_table_line_up() -> None:
    lines = table(("a", "long heading"), [("some text", "b")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert {line.count("|") for line in lines} == {3}


def test_stated_figures_belong_to_rows() -> None:
    keys = {work.key for work in WORKS}
    assert len(keys) == len(WORKS)
    assert set(baselines._STATED) | set(baselines.LIKE_FOR_LIKE) <= keys
    assert {work.key for work in WORKS if not baselines.stated(work.key)} == {
        "memory",
        "train-3-validated",
        "train-17-noise",
    }


def test_what_was_measured_comes_before_what_was_stated(results: Path) -> None:
    stated = baselines.baseline("infer-3-1")
    assert stated is not None
    assert stated.stated
    peers = {
        "annieslasso": {"infer-3-1": {"value": 120.0}, "train-3-likelihood": {"value": 1.0}},
        "thecannon": {"infer-3-1": {"value": 329.0}, "train-3-likelihood": {"value": 16.0}},
    }
    results.write_text(json.dumps({"peers": peers}))
    assert baselines.baseline("infer-3-1") == Baseline(329.0, "TheCannon 0.7.3", stated=False), "the quicker one"
    assert baselines.baseline("train-3-likelihood") == Baseline(16.0, "TheCannon 0.7.3", stated=False), "the same rule"
    assert baselines.baseline("infer-3-corrected") == baselines.stated("infer-3-corrected")
    peers["annieslasso"]["infer-3-10"] = {"value": 25.0}
    results.write_text(json.dumps({"peers": peers}))
    nearest = Baseline(25.0, "AnniesLasso 0.2.96, without them", stated=False)
    assert baselines.baseline("infer-3-corrected") == nearest
    assert baselines.baseline("train-3") == baselines.stated("train-3")
