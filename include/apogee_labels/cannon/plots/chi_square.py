"""How well the model describes stars it has not seen: their reduced chi-square, and what noise alone would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from apogee_labels.cannon.plots.held_out import some, validation_of
from apogee_labels.cannon.plots.style import BLACK, BLUE, ORANGE, VERMILLION, finish, log_ticks, number
from apogee_labels.core.arrays import Floats, Indices

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from apogee_labels.cannon.model import CannonModel

BINS = 50
_OVERFLOW = 99.0  # percentile of the stars beyond which they are counted together
_WIDE = 5.0  # standard deviations of the expected distribution that are always in view
_FAR = 10.0  # how much higher one distribution may be than the other on a linear axis


def chi_square_distribution(model: CannonModel) -> Figure:
    """Plot the histogram of reduced chi-square of held-out stars over the distribution that noise alone would give.

    That distribution is of the median number of degrees of freedom n: chi-square(n) / n.  Stars far beyond the others
    share one bar at the right.

    Raises
    ------
    NothingToPlotError
        The model has no validation, or no star of it has a chi-square.
    """
    validation = validation_of(model)
    good = some(np.isfinite(validation.reduced_chi_sq))
    values, n_freedom = validation.reduced_chi_sq[good], float(np.median(validation.n_freedom[good]))
    edges = bin_edges(values, n_freedom)
    count = np.histogram(values, edges)[0]
    expected = len(values) * np.diff(_cumulative(edges, n_freedom))
    beyond = int(np.count_nonzero(values > edges[-1]))
    figure = _bars(edges, count, beyond)
    _add_expected(figure, edges, expected, n_freedom)
    middle = float(np.median(values))
    text = f"median {number(middle)}"
    figure.add_vline(x=middle, line={"color": BLACK, "dash": "dash"}, annotation={"text": text, "xshift": 5})
    missing = f", {np.count_nonzero(~good):,} without a fit" if not good.all() else ""
    finish(figure, f"Reduced chi-square of {len(values):,} held-out stars{missing}", 520)
    figure.update_xaxes(title_text="reduced chi-square", range=[edges[0], edges[-1] + 2.5 * (edges[1] - edges[0])])
    figure.update_yaxes(title_text="stars in a bin", **_count_axis(count, expected))
    return figure


def bin_edges(values: Floats, n_freedom: float) -> Floats:
    """Edges of the bins, shape (BINS + 1,): all stars but the highest per cent, and the expected distribution."""
    reach = _WIDE * np.sqrt(2.0 / max(n_freedom, 1.0))
    low = min(float(values.min()), max(1.0 - reach, 0.0))
    high = max(float(np.percentile(values, _OVERFLOW)), 1.0 + reach)
    return np.linspace(low, high, BINS + 1)


def _cumulative(reduced: Floats, n_freedom: float) -> Floats:
    """Cumulative distribution of chi-square(n) / n."""
    from scipy.special import chdtr

    return np.asarray(chdtr(n_freedom, n_freedom * reduced))


def _bars(edges: Floats, count: Indices, beyond: int) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure(layout={"bargap": 0.0, "barmode": "overlay"})
    width = edges[1] - edges[0]
    hover = "%{x:.3f}: %{y} stars"
    centre = 0.5 * (edges[1:] + edges[:-1])
    figure.add_bar(x=centre, y=count, width=width, name="held-out stars", marker_color=BLUE, hovertemplate=hover)
    if beyond:
        name = f"{beyond:,} above {number(float(edges[-1]))}"
        x = [edges[-1] + 1.5 * width]
        figure.add_bar(x=x, y=[beyond], width=width, name=name, marker_color=ORANGE, hovertemplate=name)
    return figure


def _add_expected(figure: Figure, edges: Floats, expected: Floats, n_freedom: float) -> None:
    """Steps of the same bins, so that bars and line compare as they stand; none where less than a tenth of a star."""
    name = f"noise alone, {n_freedom:,.0f} degrees of freedom"
    steps = np.where(expected > 0.1, expected, np.nan)
    centre = 0.5 * (edges[1:] + edges[:-1])
    line = {"color": VERMILLION, "width": 2.5, "shape": "hvh"}
    figure.add_scatter(x=centre, y=steps, mode="lines", line=line, name=name, hovertemplate="%{x:.3f}: %{y:.1f}")


def _count_axis(count: Indices, expected: Floats) -> dict[str, Any]:
    """A linear axis, or a logarithmic one where the narrow expected distribution would press the stars flat."""
    highest, tops = max(count.max(), expected.max()), (count.max(), expected.max())
    if min(tops) and highest < _FAR * min(tops):
        return {"rangemode": "tozero"}
    return log_ticks(0.5, 2.0 * highest)
