"""What the labels do not explain: the intrinsic scatter of each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from apogee_labels.cannon.plots.spectrum import AXIS, AXIS_TITLE, broken_line
from apogee_labels.cannon.plots.style import BLUE, VERMILLION, finish, log_ticks, number

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from apogee_labels.cannon.model import CannonModel


def scatter_spectrum(model: CannonModel) -> Figure:
    """Plot the intrinsic scatter, sqrt(s2), against wavelength, with its median over the trained pixels.

    A pixel without scatter has no place on the logarithmic axis: the title counts them, and the pixels not trained.
    """
    import plotly.graph_objects as go

    scatter = np.sqrt(np.where(model.informative, model.s2, 0.0))
    x, y = broken_line(model.wavelength, scatter, scatter > 0.0)
    figure = go.Figure()
    hover = "%{x:.2f} Å: %{y:.4f}"
    figure.add_scatter(x=x, y=y, name="scatter", mode="lines", line={"color": BLUE, "width": 1}, hovertemplate=hover)
    middle = float(np.median(scatter[model.informative])) if model.informative.any() else np.nan
    if middle > 0.0:
        text = f"median {number(middle)}"
        line = {"color": VERMILLION, "width": 2, "dash": "dash"}
        ends = x[[0, -1]]
        figure.add_scatter(x=ends, y=[middle, middle], name=text, mode="lines", line=line, hoverinfo="skip")
    finish(figure, _title(model, scatter), 480)
    shown = scatter[scatter > 0.0]
    low, high = (shown.min(), shown.max()) if shown.size else (1e-3, 1e-1)
    figure.update_xaxes(title_text=AXIS_TITLE, **AXIS)
    figure.update_yaxes(title_text="scatter of normalised flux", **log_ticks(low / 1.2, high * 1.2))
    return figure


def _title(model: CannonModel, scatter: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    n_pixels = len(model.s2)
    n_trained = int(np.count_nonzero(model.informative))
    n_without = n_trained - int(np.count_nonzero(scatter))
    without = f", {n_without:,} without scatter" if n_without else ""
    return f"Intrinsic scatter: {n_pixels - n_trained:,} of {n_pixels:,} pixels untrained{without}"
