"""How the flux of each pixel follows the labels: a spectrum of coefficients for each term (Ness et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apogee_labels.cannon.plots.spectrum import AXIS, AXIS_TITLE, broken_line
from apogee_labels.cannon.plots.style import BLACK, BLUE, GREY, number, panels
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
