"""Labels of held-out stars against those they were trained on, one to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from apogee_labels.cannon.noise.empirical_errors import MAD
from apogee_labels.cannon.noise.repeatability import rms
from apogee_labels.cannon.plots.held_out import some, validation_of
from apogee_labels.cannon.plots.style import BLACK, COLOR_SCALE, columns_for, fixed, log_ticks, panels, place
from apogee_labels.core.arrays import Floats
from apogee_labels.core.labels import with_unit

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from apogee_labels.cannon.model import CannonModel


class Agreement(NamedTuple):
    """How differences are distributed, in the label's unit."""

    bias: float
    """Their mean."""
    rms: float
    """Root of their mean square, bias included."""
    robust: float
    """1.4826 times their median absolute deviation from the median: the rms but for outliers and bias."""


def agreement(difference: Floats) -> Agreement:
    """Bias, rms and robust rms of differences, shape (N,)."""
    deviation = np.abs(difference - np.median(difference))
    return Agreement(float(difference.mean()), float(rms(difference)), float(MAD * np.median(deviation)))


def one_to_one(model: CannonModel) -> Figure:
    """Plot held-out against training labels, a panel for each label, with bias and rms of held-out - training.

    Raises
    ------
    NothingToPlotError
        The model has no validation, or no star of it has labels.
    """
    validation = validation_of(model)
    good = some(np.asarray(np.isfinite(validation.labels).all(axis=1)))
    known, found, snr = model.training_labels[good], validation.labels[good], validation.snr[good]
    columns = columns_for(len(model.label_names))
    titles = [_title(name, agreement(found[:, k] - known[:, k])) for k, name in enumerate(model.label_names)]
    title = f"Labels of {len(known):,} stars by models that did not see them, against their training labels"
    figure = panels(titles, columns=columns, panel_height=1200 // max(columns, 2), title=title)
    for k, name in enumerate(model.label_names):
        _add_panel(figure, known[:, k], found[:, k], snr, place(k, columns))
        figure.update_xaxes(title_text=f"training {with_unit(name)}", **place(k, columns))
        figure.update_yaxes(title_text=f"held-out {with_unit(name)}", **place(k, columns))
    figure.update_layout(coloraxis=_color_axis(snr), showlegend=False)
    return figure


def _title(name: str, found: Agreement) -> str:
    """Name of a label, and its agreement with as many decimals as the rms needs for three digits."""
    decimals = 0 if found.rms == 0.0 else 2 - int(np.floor(np.log10(found.rms)))
    bias, scatter, robust = (fixed(value, decimals) for value in found)
    sign = "+" if round(found.bias, decimals) > 0.0 else ""
    text = f"bias {sign}{bias}, rms {scatter}, robust {robust}"
    return f'<b>{name}</b>{with_unit(name).removeprefix(name)}<br><span style="font-size:14px">{text}</span>'


def _add_panel(figure: Figure, known: Floats, found: Floats, snr: Floats, where: dict[str, int]) -> None:
    low, high = min(known.min(), found.min()), max(known.max(), found.max())
    ends = [low - 0.03 * (high - low), high + 0.03 * (high - low)]
    line = {"color": BLACK, "width": 1.5}
    figure.add_scatter(x=ends, y=ends, mode="lines", name="1:1", line=line, hoverinfo="skip", **where)
    figure.add_scatter(
        x=known,
        y=found,
        mode="markers",
        name="held-out stars",
        marker={"color": np.log10(_positive(snr)), "coloraxis": "coloraxis", "size": 6, "opacity": 0.8},
        customdata=snr,
        hovertemplate="training %{x:.4g}, held-out %{y:.4g}, S/N %{customdata:.0f}<extra></extra>",
        **where,
    )
    figure.update_xaxes(range=ends, nticks=6, **where)
    figure.update_yaxes(range=ends, nticks=6, **where)


def _positive(snr: Floats) -> Floats:
    return np.where(snr > 0.0, snr, np.nan)


def _color_axis(snr: Floats) -> dict[str, Any]:
    """Colours by the logarithm of S/N, over all but the outermost stars, with S/N itself written beside them."""
    some_snr = snr[snr > 0.0]
    low, high = np.percentile(some_snr, [2.0, 98.0]) if some_snr.size else (10.0, 100.0)
    ticks = log_ticks(0.99 * low, 1.01 * high)
    return {
        "colorscale": COLOR_SCALE,
        "cmin": ticks["range"][0],
        "cmax": ticks["range"][1],
        "colorbar": {
            "title": {"text": "S/N"},
            "tickvals": [float(np.log10(value)) for value in ticks["tickvals"]],
            "ticktext": ticks["ticktext"],
            "thickness": 16,
            "lenmode": "pixels",
            "len": 360,
            "y": 1.0,
            "yanchor": "top",
        },
    }
