"""How large the errors of the labels are at each signal-to-noise ratio, and how large the model says they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from apogee_labels.cannon.noise.repeatability import Repeats, SnrBins, SnrScatter, median, rms, scatter_by_snr
from apogee_labels.cannon.plots.held_out import some, validation_of
from apogee_labels.cannon.plots.style import BLACK, BLUE, GREEN, VERMILLION, columns_for, log_ticks, panels, place
from apogee_labels.core.arrays import Floats, Indices
from apogee_labels.core.labels import with_unit

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from apogee_labels.cannon.model import CannonModel


class _Curve(NamedTuple):
    """One statistic against S/N, shapes (B,) and (B, L), and how it is drawn."""

    name: str
    snr: Floats
    values: Floats
    style: dict[str, Any]
    numbers: Indices | None = None  # the values are an rms of so many


def error_against_snr(model: CannonModel, repeats: Repeats | None = None) -> Figure:
    """Plot errors against the signal-to-noise ratio, a panel for each label, in bins of ten stars or more.

    Parameters
    ----------
    model
        Its validation gives the rms of held-out - training labels, which holds the training labels' own errors too, and
        the medians of the formal errors and of the total ones.
    repeats
        Pairs of visits (:func:`apogee_labels.cannon.noise.repeatability.repeat_differences`), labels in the model's
        order: their
        rms difference / sqrt(2) is the error of one visit without the training labels'.

    Raises
    ------
    NothingToPlotError
        The model has no validation, or no star of it has labels and errors.
    ValueError
        The repeats have another number of labels.
    """
    n_labels = len(model.label_names)
    if repeats is not None and repeats.difference.shape[1] != n_labels:
        raise ValueError(f"repeats: expected {n_labels} labels, got {repeats.difference.shape[1]}.")
    curves = _held_out(model)
    if repeats is not None:
        curves.append(_visits(scatter_by_snr(repeats)))
    columns = columns_for(n_labels)
    titles = [f"<b>{name}</b>" for name in model.label_names]
    figure = panels(titles, columns=columns, panel_height=420, title="Errors of the labels against signal-to-noise")
    for k, name in enumerate(model.label_names):
        _add_panel(figure, curves, k, place(k, columns))
        figure.update_yaxes(title_text=f"error of {with_unit(name)}", **place(k, columns))
    return figure


def _held_out(model: CannonModel) -> list[_Curve]:
    validation = validation_of(model)
    difference = validation.labels - model.training_labels
    parts = np.concatenate([difference, validation.raw_errors, validation.errors], axis=1)
    good = some(np.isfinite(parts).all(axis=1) & np.isfinite(validation.snr) & (validation.snr > 0.0))
    bins = SnrBins.of(validation.snr[good])
    snr = bins.reduce(validation.snr[good], median)
    seen = bins.reduce(difference[good], rms)
    formal, total = (bins.reduce(errors[good], median) for errors in (validation.raw_errors, validation.errors))
    return [
        _Curve("rms of held-out − training", snr, seen, _points(BLUE, "circle"), bins.count),
        _Curve("total error (median)", snr, total, _line(BLACK, "solid")),
        _Curve("formal error (median)", snr, formal, _line(VERMILLION, "dash")),
    ]


def _visits(scatter: SnrScatter) -> _Curve:
    name = "rms of single visits / √2"
    return _Curve(name, scatter.snr, scatter.rms, _points(GREEN, "square"), scatter.n_pairs)


def _points(color: str, symbol: str) -> dict[str, Any]:
    return {"mode": "markers", "marker": {"color": color, "symbol": symbol, "size": 9}}


def _line(color: str, dash: str) -> dict[str, Any]:
    return {"mode": "lines", "line": {"color": color, "dash": dash, "width": 2.5}}


def _add_panel(figure: Figure, curves: list[_Curve], label: int, where: dict[str, int]) -> None:
    """All curves of one label; the rms have error bars, rms / sqrt(2 n)."""
    for curve in curves:
        values = curve.values[:, label]
        options = dict(curve.style)
        if curve.numbers is not None:
            options["error_y"] = {"array": values / np.sqrt(2.0 * curve.numbers), "thickness": 1.5, "width": 0}
            options["customdata"] = curve.numbers
        hover = "S/N %{x:.0f}: %{y:.3g}" + (", %{customdata} values" if curve.numbers is not None else "")
        figure.add_scatter(
            x=curve.snr,
            y=values,
            name=curve.name,
            legendgroup=curve.name,
            showlegend=label == 0,
            hovertemplate=hover,
            **options,
            **where,
        )
    snr = np.concatenate([curve.snr for curve in curves])
    values = np.concatenate([curve.values[:, label] for curve in curves])
    figure.update_xaxes(title_text="S/N", **_axis(snr), **where)
    figure.update_yaxes(**_axis(values), **where)


def _axis(values: Floats) -> dict[str, Any]:
    positive = values[values > 0.0]
    return log_ticks(positive.min() / 1.3, positive.max() * 1.3) if positive.size else {}
