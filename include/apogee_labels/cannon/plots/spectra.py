"""What the model says at each wavelength: the coefficients of each term (Ness et al. 2015), and the intrinsic scatter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from apogee_labels.cannon.continuum.normalization import DETECTORS
from apogee_labels.cannon.plots.style import BLACK, BLUE, GREY, VERMILLION, finish, log_ticks, number, panels
from apogee_labels.core.arrays import Bools, Floats, Indices
from apogee_labels.core.labels import label_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.cannon.vectorizer import PolynomialVectorizer

_PANEL_HEIGHT = 200
_FEW = 6  # labels whose medians fit on one line


def theta_spectra(model: CannonModel, terms: Sequence[str] | None = None) -> Figure:
    """Plot the coefficients against wavelength, a panel for each term.

    Parameters
    ----------
    model
        Its labels are scaled by the range of the training labels (2.5th to 97.5th percentile): a coefficient is the
        change of flux over that range, which the panel's title says in the label's unit.
    terms
        Names of terms, as in ``model.vectorizer.terms``; default: the constant one and the linear ones.

    Raises
    ------
    ValueError
        A term that the model does not have, or none at all.
    """
    import plotly.graph_objects as go

    chosen = _positions(model.vectorizer, terms)
    titles = [_title(model.vectorizer, position) for position in chosen]
    title = "Coefficients of the model: what each label does to the flux"
    figure = panels(titles, columns=1, panel_height=_PANEL_HEIGHT, title=title, gap=50, shared_xaxes=True)
    for row, position in enumerate(chosen, 1):
        x, y = broken_line(model.wavelength, model.theta[:, position], model.informative)
        name = model.vectorizer.terms[position]
        line = {"color": BLUE if position else BLACK, "width": 1}
        hover = "%{x:.2f} Å: %{y:.4f}"
        trace = go.Scatter(x=x, y=y, name=name, mode="lines", line=line, showlegend=False, hovertemplate=hover)
        figure.add_trace(trace, row=row, col=1)
        if position:
            figure.add_hline(y=0.0, line={"color": GREY, "width": 1}, layer="below", row=row, col=1)
        figure.update_yaxes(title_text="change of flux" if position else "flux", nticks=5, row=row, col=1)
    figure.update_xaxes(title_text=AXIS_TITLE, row=len(chosen), col=1)
    figure.update_xaxes(**AXIS)
    return figure


def _positions(vectorizer: PolynomialVectorizer, terms: Sequence[str] | None) -> list[int]:
    """Where the terms are that were asked for."""
    if terms is None:
        return [position for position, factors in enumerate(vectorizer.basis.factors) if len(factors) <= 1]
    unknown = [term for term in terms if term not in vectorizer.terms]
    if unknown or not terms:
        raise ValueError(f"terms: expected some of {', '.join(vectorizer.terms)}, got {', '.join(unknown) or 'none'}.")
    return [vectorizer.terms.index(term) for term in terms]


def _title(vectorizer: PolynomialVectorizer, position: int) -> str:
    """Name of a term, and the change of the labels that its coefficient is for."""
    names = vectorizer.label_names
    factors = vectorizer.basis.factors[position]
    if not factors:
        pairs = zip(names, vectorizer.offsets, strict=True)
        values = ", ".join(f"{name} {number(value)} {label_of(name).unit}".rstrip() for name, value in pairs)
        return "<b>1</b>: flux at the median labels" + (f", {values}" if len(names) <= _FEW else "")
    ranges = " × ".join(
        f"{number(vectorizer.scales[label])} {label_of(names[label]).unit}".rstrip() for label in factors
    )
    return f"<b>{vectorizer.terms[position]}</b>: change of flux per {ranges}"


AXIS_TITLE = "Vacuum wavelength (Å)"
AXIS = {"tickformat": ",.0f", "nticks": 12}
"""Settings of a wavelength axis: whole Angstrom, never thousands as k."""


def broken_line(wavelength: Floats, values: Floats, shown: Bools) -> tuple[Floats, Floats]:
    """Points of a line over the detectors, in single precision: half the file, and 0.001 A is no visible error.

    Parameters
    ----------
    wavelength, values
        Shape (P,).
    shown
        Which pixels have a value, shape (P,): the others become NaN, which no line crosses.

    Returns
    -------
    tuple of arrays
        Wavelengths and values, shape (P + detectors - 1,): a NaN stands between two detectors.
    """
    cuts = np.flatnonzero(np.diff(_detector(wavelength))) + 1
    between = 0.5 * (wavelength[cuts - 1] + wavelength[cuts])
    line = np.insert(np.where(shown, values, np.nan), cuts, np.nan)
    return np.insert(wavelength, cuts, between).astype(np.float32), line.astype(np.float32)


def _detector(wavelength: Floats) -> Indices:
    """Number of the detector of each pixel, the gap behind a detector counted with it."""
    return np.searchsorted([low for low, _ in DETECTORS[1:]], wavelength, side="right")


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
    finish(figure, _scatter_title(model, scatter), 480)
    shown = scatter[scatter > 0.0]
    low, high = (shown.min(), shown.max()) if shown.size else (1e-3, 1e-1)
    figure.update_xaxes(title_text=AXIS_TITLE, **AXIS)
    figure.update_yaxes(title_text="scatter of normalised flux", **log_ticks(low / 1.2, high * 1.2))
    return figure


def _scatter_title(model: CannonModel, scatter: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    n_pixels = len(model.s2)
    n_trained = int(np.count_nonzero(model.informative))
    n_without = n_trained - int(np.count_nonzero(scatter))
    without = f", {n_without:,} without scatter" if n_without else ""
    return f"Intrinsic scatter: {n_pixels - n_trained:,} of {n_pixels:,} pixels untrained{without}"
