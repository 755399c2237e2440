"""The labels of one star, visit by visit: against time, and against signal-to-noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from apogee_labels.cannon.flags import ResultFlag
from apogee_labels.cannon.plots.held_out import NothingToPlotError
from apogee_labels.cannon.plots.style import BLACK, BLUE, VERMILLION, log_ticks, number, panels, place
from apogee_labels.core.arrays import Floats
from apogee_labels.core.labels import with_unit

if TYPE_CHECKING:
    from astropy.table import Table
    from plotly.graph_objects import Figure


_BAND = "rgba(0, 0, 0, 0.10)"
_GOOD = {"color": BLUE, "symbol": "circle", "size": 9}
_FLAGGED = {"color": VERMILLION, "symbol": "x-open", "size": 10, "line": {"width": 2}}
_STACK = {"color": BLACK, "symbol": "diamond", "size": 11}
_OF_THE_MODEL = int(ResultFlag.FEW_TRAINING_STARS)  # says nothing about a single visit
_ROOM = 0.06  # of an axis, beside the first and the last visit


def labels_of_visits(history: Table) -> Figure:
    """Plot each label of a star's visits with its error, on the left against MJD, on the right against S/N.

    The label of the stack of the visits is a line, its error a band; a visit with a flag is a cross, and says which when
    the pointer is on it.  Visits that differ by more than their errors are a sign of errors that are too small, of a bad
    visit, or of a star that changes.

    Parameters
    ----------
    history
        What ``catalog.label_tables.history(obj)`` gives.  Only its current rows count, and of those the rows of one model:
        that of the newest result of visits.

    Raises
    ------
    NothingToPlotError
        The table has no current labels of single visits.
    """
    visits, stacks = current_of_one_model(history)
    names = label_names(visits)
    obj, model = str(visits["obj"][0]), str(visits["model"][0])
    titles = [f"<b>{name.upper()}</b> against {what}" for name in names for what in ("time", "S/N")]
    figure = panels(
        titles,
        columns=2,
        panel_height=300,
        gap=90,
        title=f"Labels of {obj}, visit by visit, by model {model[:12]}",
        shared_yaxes=True,
    )
    for k, name in enumerate(names):
        for column, quantity in enumerate(("mjd", "snr")):
            _add_panel(figure, visits, stacks, (name, quantity), place(2 * k + column, 2), legend=k + column == 0)
        figure.update_yaxes(title_text=with_unit(name.upper()), **place(2 * k, 2))
    return figure


def current_of_one_model(history: Table) -> tuple[Table, Table]:
    """Return the current rows of visits and of stacks by the model of the newest result of visits."""
    current = history[np.asarray(history["current"], dtype=bool)]
    visits = current[np.asarray(current["is_visit"], dtype=bool)]
    if not len(visits):
        who = str(history["obj"][0]) if len(history) else str(history.meta.get("OBJ", "this star"))
        raise NothingToPlotError(
            f"no current labels of single visits of {who}: run its night with visits, or the DAG apogee_stars with sum_axis "
            "empty."
        )
    model = visits["model"][int(np.argmax(visits["created"]))]
    of_model = current[np.asarray(current["model"] == model)]
    is_visit = np.asarray(of_model["is_visit"], dtype=bool)
    return of_model[is_visit], of_model[~is_visit]


def label_names(table: Table) -> list[str]:
    """Return the columns that are labels: those with an error of either kind beside them, and a value in some row."""
    return [
        name
        for name in table.colnames
        if {f"e_{name}", f"raw_e_{name}"} <= set(table.colnames) and np.isfinite(table[name]).any()
    ]


def _add_panel(
    figure: Figure, visits: Table, stacks: Table, what: tuple[str, str], where: dict[str, int], *, legend: bool
) -> None:
    name, quantity = what
    ends = _ends(_floats(visits[quantity]), _floats(stacks[quantity]) if quantity == "snr" else None)
    for place_of_stack in range(len(stacks)):
        first = legend and place_of_stack == 0
        _add_stack(figure, stacks[place_of_stack], name, quantity, ends, where, legend=first)
    flagged = np.array([bool(int(flags) & ~_OF_THE_MODEL) for flags in visits["result_flags"]])
    for title, chosen, marker in (("visit", ~flagged, _GOOD), ("visit with a flag", flagged, _FLAGGED)):
        if chosen.any():
            _add_points(figure, visits[chosen], what, title, marker, where, legend=legend)
    if quantity == "mjd":
        figure.update_xaxes(title_text="SDSS MJD", tickformat="d", nticks=6, range=list(ends), **where)
    else:
        figure.update_xaxes(title_text="S/N a pixel", **log_ticks(*ends), **where)


def _add_points(
    figure: Figure,
    rows: Table,
    what: tuple[str, str],
    title: str,
    marker: dict[str, Any],
    where: dict[str, int],
    *,
    legend: bool,
) -> None:
    name, quantity = what
    texts = [
        f"{name.upper()} {number(row[name], 4)} ± {number(row[f'e_{name}'], 2)}<br>MJD {row['mjd']}, S/N {row['snr']:.0f}"
        f"<br>{_sentences(int(row['result_flags']))}"
        for row in map(rows.__getitem__, range(len(rows)))
    ]
    figure.add_scatter(
        x=rows[quantity].tolist(),
        y=_floats(rows[name]),
        error_y={"array": _floats(rows[f"e_{name}"]), "thickness": 1.5, "width": 0},
        mode="markers",
        marker=marker,
        name=title,
        legendgroup=title,
        showlegend=legend,
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        **where,
    )


def _add_stack(
    figure: Figure,
    row: Any,
    name: str,
    quantity: str,
    ends: tuple[float, float],
    where: dict[str, int],
    *,
    legend: bool,
) -> None:
    """Draw a stack's label across the panel, with its error; and its point, where it has a place of its own."""
    value, error = float(row[name]), float(row[f"e_{name}"])
    if not np.isfinite(value):
        return
    if np.isfinite(error):
        edges = [value - error, value - error, value + error, value + error]
        figure.add_scatter(
            x=[ends[0], ends[1], ends[1], ends[0]],
            y=edges,
            fill="toself",
            fillcolor=_BAND,
            mode="none",
            hoverinfo="skip",
            showlegend=False,
            **where,
        )
    text = f"stack: {number(value, 4)} ± {number(error, 2)}, S/N {row['snr']:.0f}"
    common = {"name": "stack of the visits, and its error", "legendgroup": "stack", "text": text, **where}
    line = {"color": BLACK, "width": 1.5}
    hover = "%{text}<extra></extra>"
    figure.add_scatter(
        x=list(ends), y=[value] * 2, mode="lines", line=line, showlegend=legend, hovertemplate=hover, **common
    )
    if quantity == "snr":
        point = [float(row["snr"])]
        figure.add_scatter(
            x=point, y=[value], mode="markers", marker=_STACK, showlegend=False, hovertemplate=hover, **common
        )


def _ends(values: Floats, more: Floats | None) -> tuple[float, float]:
    """Return where an axis begins and ends: some room beside the outermost values, in S/N as a factor."""
    if more is None:
        low, high = float(np.min(values)), float(np.max(values))
        room = max(_ROOM * (high - low), 1.0)
        return low - room, high + room
    every = np.concatenate([values, more])
    every = every[np.isfinite(every) & (every > 0.0)]
    if not every.size:
        return 1.0, 100.0
    return float(every.min()) / 1.2, float(every.max()) * 1.2


def _floats(column: Any) -> Floats:
    return np.asarray(column, dtype=float)


def _sentences(flags: int) -> str:
    return ResultFlag(flags).sentence.replace(". ", ".<br>") if flags else "no flag"
