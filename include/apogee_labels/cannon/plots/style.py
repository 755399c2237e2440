"""How all plots look: one template, colours that every eye can tell apart (Okabe & Ito 2008), units, readable ticks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from plotly.graph_objects.layout import Template

BLACK, BLUE, ORANGE, GREEN, VERMILLION = "#000000", "#0072B2", "#E69F00", "#009E73", "#D55E00"
GREY, FAINT = "#666666", "#E4E4E4"
COLOR_SCALE = ("#6CCD5A", "#21918C", "#3B528B", "#440154")
"""Viridis reversed, so that what is certain is dark, and without its yellow, which is faint on white."""

_TICKS = 3
_STEPS = (
    (1,),
    (1, 2, 5),
    (1, 1.5, 2, 3, 4, 5, 6, 8),
    (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9),
    tuple(tenths / 10 for tenths in range(10, 100)),
)  # ticks of a decade, from few to many
_MARGIN = {"t": 120, "b": 60, "l": 80, "r": 40}
_FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"


@lru_cache(maxsize=1)
def template() -> Template:
    """What all plots share: white ground, framed panels, a faint grid, type of 14 points and more."""
    import plotly.graph_objects as go

    axis = {
        "showline": True,
        "mirror": True,
        "linecolor": GREY,
        "ticks": "outside",
        "tickcolor": GREY,
        "gridcolor": FAINT,
        "zeroline": False,
        "automargin": True,
        "title": {"font": {"size": 15}, "standoff": 8},
    }
    return go.layout.Template(
        layout={
            "font": {"family": _FONT, "size": 14, "color": "#222222"},
            "title": {"font": {"size": 20}, "x": 0.01, "xanchor": "left", "yref": "container"},
            "legend": {"orientation": "h", "x": 0.01, "xref": "container", "yref": "container", "yanchor": "middle"},
            "annotationdefaults": {"font": {"size": 15}},
            "colorway": [BLUE, VERMILLION, GREEN, ORANGE, BLACK],
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
            "hoverlabel": {"font": {"size": 14, "family": _FONT}},
            "xaxis": axis,
            "yaxis": axis,
        }
    )


def panels(
    titles: Sequence[str], *, columns: int, panel_height: int, title: str, gap: int = 120, **options: Any
) -> Figure:
    """Return an empty figure of as many panels as titles, row by row.

    Heights, and the gap between two rows, are in pixels; `options` are those of ``make_subplots``.
    """
    from plotly.subplots import make_subplots

    rows = -(-len(titles) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=titles,
        vertical_spacing=gap / (panel_height * rows),
        horizontal_spacing=0.24 / columns if columns > 1 else 0.0,
        **options,
    )
    finish(figure, title, panel_height * rows + _MARGIN["t"] + _MARGIN["b"])
    for position, annotation in enumerate(figure.layout.annotations):  # a panel's title begins where its panel does
        panel = figure.get_subplot(**place(position, columns))
        annotation.update(font_size=16, yshift=2, x=panel.xaxis.domain[0], xanchor="left", align="left")
    return figure


def finish(figure: Figure, title: str, height: int) -> None:
    """Give a figure the template, its title, the legend below it, and its height in pixels; its width is the page's."""
    figure.update_layout(template=template(), title_text=title, height=height, margin=_MARGIN)
    figure.update_layout(title_y=1.0 - 24.0 / height, legend_y=1.0 - 58.0 / height)


def place(position: int, columns: int) -> dict[str, int]:
    """Row and column, from 1, of the panel at a position, from 0."""
    return {"row": position // columns + 1, "col": position % columns + 1}


def columns_for(count: int) -> int:
    """In how many columns so many panels are laid out: up to three in a row, four as two and two."""
    return 2 if count in (2, 4) else min(count, 3)


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, never as a power of ten: ``1,240``, ``0.0123``."""
    if value == 0.0 or not np.isfinite(value):
        return f"{value:g}"
    places = digits - 1 - int(np.floor(np.log10(abs(value))))
    return fixed(value, places)


def fixed(value: float, places: int) -> str:
    """Write a number with so many decimals, thousands apart, and with a true minus: ``−0.027``."""
    rounded = round(value, places) + 0.0  # never a negative zero
    return f"{rounded:,.{max(places, 0)}f}".replace("-", "−")


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Settings of a logarithmic axis from `low` to `high`: as few round ticks, written out, as make three or more."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    values: list[float] = []
    for steps in _STEPS:
        values = [value for power in powers for step in steps if low <= (value := float(f"{step}e{power}")) <= high]
        if len(values) >= _TICKS:
            break
    return {
        "type": "log",
        "range": [float(np.log10(low)), float(np.log10(high))],
        "tickvals": values,
        "ticktext": [f"{value:,g}" if value < 1e6 else f"{value:.0e}" for value in values],
    }
