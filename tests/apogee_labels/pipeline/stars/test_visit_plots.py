"""The labels of a star, visit by visit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from apogee_labels.cannon.flags import ResultFlag
from apogee_labels.cannon.plots import NothingToPlotError
from apogee_labels.pipeline.stars.visit_plots import label_names, labels_of_visits

N_VISITS = 12
FLAGGED = {3: ResultFlag.LOW_SNR | ResultFlag.FEW_TRAINING_STARS, 7: ResultFlag.HIGH_CHI_SQUARE}


def rows(n_rows: int, *, model: str = "b" * 64, is_visit: bool = True, current: bool = True, day: int = 1) -> Table:
    """Rows as the catalogue gives them, with the columns that the plot reads."""
    rng = np.random.default_rng([n_rows, day])
    columns: dict[str, Any] = {
        "obj": ["2M16505794-2118004"] * n_rows,
        "mjd": 59280 + 3 * np.arange(n_rows),
        "snr": rng.uniform(30.0, 90.0, n_rows),
        "created": [f"2024-03-{day:02d}T04:05:06Z"] * n_rows,
        "result_flags": np.full(n_rows, int(ResultFlag.FEW_TRAINING_STARS)),
        "result": [f"{model[0]}{is_visit}"] * n_rows,
    }
    for name, value, error in (("teff", 4500.0, 20.0), ("fe_h", -0.25, 0.01)):
        columns |= {
            name: value + error * rng.normal(size=n_rows),
            f"e_{name}": np.full(n_rows, error),
            f"raw_e_{name}": np.full(n_rows, error / 2),
        }
    columns |= {"rchi2": np.ones(n_rows), "model": [model] * n_rows}
    return Table(columns | {"current": [current] * n_rows, "is_visit": [is_visit] * n_rows}, meta={"OBJ": "2M"})


@pytest.fixture
def history() -> Table:
    """Visits and their stack by one model; and what is not to be seen: older results, another model's, a lost label."""
    from astropy.table import vstack

    visits, stack = rows(N_VISITS), rows(1, is_visit=False)
    for place, flags in FLAGGED.items():
        visits["result_flags"][place] = int(flags)
    stack["snr"] = 240.0
    others = [rows(5, current=False, day=3), rows(4, model="a" * 64, day=0), rows(1, model="a" * 64, is_visit=False)]
    table = vstack([visits, stack, *others], metadata_conflicts="silent")
    for name in ("mg_h", "e_mg_h", "raw_e_mg_h"):
        table[name] = np.nan
    return table


def traces(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def test_each_label_is_against_time_and_against_snr(history: Table) -> None:
    figure = labels_of_visits(history)
    visits, flagged = history[:N_VISITS], np.isin(np.arange(N_VISITS), list(FLAGGED))
    assert [note.text for note in figure.layout.annotations] == [
        f"<b>{name}</b> against {what}" for name in ("TEFF", "FE_H") for what in ("time", "S/N")
    ]
    for title, chosen in (("visit", ~flagged), ("visit with a flag", flagged)):
        found = traces(figure, title)
        panels = [(name, quantity) for name in ("teff", "fe_h") for quantity in ("mjd", "snr")]
        assert len(found) == len(panels)
        for trace, (name, quantity) in zip(found, panels, strict=True):
            np.testing.assert_array_equal(trace.x, visits[quantity][chosen])
            np.testing.assert_array_equal(trace.y, visits[name][chosen])
            np.testing.assert_array_equal(trace.error_y.array, visits[f"e_{name}"][chosen])
        assert [trace.showlegend for trace in found] == [True, False, False, False]
    assert [axis.title.text for axis in figure.select_yaxes() if axis.title.text] == ["TEFF (K)", "FE_H (dex)"]


def test_the_stack_is_a_line_and_a_point_at_its_snr(history: Table) -> None:
    figure, stack = labels_of_visits(history), history[N_VISITS]
    found = traces(figure, "stack of the visits, and its error")
    lines, points = ([trace for trace in found if trace.mode == mode] for mode in ("lines", "markers"))
    assert [set(line.y) for line in lines] == [{stack["teff"]}] * 2 + [{stack["fe_h"]}] * 2
    assert [(point.x, point.y) for point in points] == [((240.0,), (stack["teff"],)), ((240.0,), (stack["fe_h"],))]
    (_, time_axis), (low, high) = lines[0].x, lines[1].x
    assert time_axis > history["mjd"][N_VISITS - 1]
    assert low < history["snr"][:N_VISITS].min() < 240.0 < high
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    assert [min(band.y) for band in bands[:2]] == pytest.approx([stack["teff"] - stack["e_teff"]] * 2)


def test_a_flag_is_explained_and_one_of_the_model_alone_is_no_mark(history: Table) -> None:
    figure = labels_of_visits(history)
    low_snr, high_chi = traces(figure, "visit with a flag")[0].text
    assert "signal-to-noise ratio is below 20" in low_snr
    assert "reduced chi-square is above 3" in high_chi
    assert "fewer than 20 stars" in traces(figure, "visit")[0].text[0]


def test_one_visit_without_a_stack_can_be_plotted() -> None:
    figure = labels_of_visits(rows(1))
    assert [trace.name for trace in figure.data] == ["visit"] * 4
    low, high = figure.layout.xaxis.range
    assert low < 59280 < high


def test_a_stack_without_labels_is_left_out(history: Table) -> None:
    history["teff"][N_VISITS] = history["e_teff"][N_VISITS] = np.nan
    history["snr"][0] = np.nan
    figure = labels_of_visits(history)
    assert len(traces(figure, "stack of the visits, and its error")) == 3  # of FE_H: two lines and a point


@pytest.mark.parametrize("table", [rows(3, is_visit=False), rows(3, current=False), rows(0)])
def test_without_current_visits_it_says_what_to_do(table: Table) -> None:
    with pytest.raises(NothingToPlotError, match=r"no current labels of single visits of 2M.*sum_axis empty"):
        labels_of_visits(table)


def test_labels_are_what_has_both_errors_and_a_value(history: Table) -> None:
    assert label_names(history) == ["teff", "fe_h"]
