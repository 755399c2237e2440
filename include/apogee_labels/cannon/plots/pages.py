"""The plots of a model as a folder of HTML files that need no network: one for each plot, and an index of all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from apogee_labels.cannon.plots.agreement import one_to_one
from apogee_labels.cannon.plots.chi_square import chi_square_distribution
from apogee_labels.cannon.plots.error_snr import error_against_snr
from apogee_labels.cannon.plots.held_out import NothingToPlotError
from apogee_labels.cannon.plots.page import figure_element, write_page, write_script
from apogee_labels.cannon.plots.scatter import scatter_spectrum
from apogee_labels.cannon.plots.theta import theta_spectra

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.cannon.noise.repeatability import Repeats


class _Plot(NamedTuple):
    """A plot, the name of its file, and the sentence that tells its reader what to see."""

    name: str
    make: Callable[[CannonModel], Figure]
    caption: str


_PLOTS = (
    _Plot(
        "theta",
        theta_spectra,
        "Where a line is far from zero, the flux of that pixel follows the label; it is the change of flux over the central "
        "95% of the training stars.",
    ),
    _Plot(
        "scatter",
        scatter_spectrum,
        "What the labels do not explain at each pixel: peaks are lines of elements that the model has no label for, or "
        "pixels that are badly reduced.",
    ),
    _Plot(
        "one-to-one",
        one_to_one,
        "Each star's labels by a model that was trained without it: points on the line are right, a tilt is a bias "
        "towards the middle of the training set.",
    ),
    _Plot(
        "chi-square",
        chi_square_distribution,
        "Bars that lie to the right of the line are spectra that the model describes less well than their noise allows.",
    ),
    _Plot(
        "error-snr",
        error_against_snr,
        "Errors are honest where the points lie on the solid line; what separates it from the dashed line is the "
        "empirical part.",
    ),
)


def write_plots(model: CannonModel, folder: str | Path, repeats: Repeats | None = None) -> dict[str, Path]:
    """Write the plots of a model into a folder, each file atomically, the same bytes for the same model.

    Parameters
    ----------
    model
        Without validation there are only the spectra of coefficients and scatter; the index says why.
    folder
        Made as needed.  A plot that cannot be made is removed if an earlier call left it there.
    repeats
        For the errors against S/N: :func:`apogee_labels.cannon.plots.error_snr.error_against_snr`.

    Returns
    -------
    dict of str to Path
        The files by name: ``theta``, ``scatter``, ``one-to-one``, ``chi-square``, ``error-snr`` and ``index``.
    """
    folder = Path(folder)
    write_script(folder)
    written, sections = {}, [_heading(model)]
    for plot in _PLOTS:
        path = folder / f"{plot.name}.html"
        make = partial(error_against_snr, repeats=repeats) if plot.name == "error-snr" else plot.make
        try:
            figure = make(model)
        except NothingToPlotError as reason:
            path.unlink(missing_ok=True)
            sections.append(f"<p><b>{path.name}</b> is missing. {escape(str(reason))}</p>")
            continue
        link = f'<a href="{plot.name}.html">{plot.name}.html</a>'
        element = figure_element(figure, plot.name, f"{plot.caption} {link}")
        write_page(path, figure.layout.title.text, element)
        written[plot.name] = path
        sections.append(element)
    written["index"] = folder / "index.html"
    write_page(written["index"], "Plots of a model", "\n".join(sections))
    return written


def _heading(model: CannonModel) -> str:
    names = escape(", ".join(model.label_names))
    facts = [
        f"{len(model.training_labels):,} stars",
        f"{len(model.wavelength):,} pixels",
        f"order {model.vectorizer.order}",
    ]
    if "training_set" in model.metadata:
        facts.append(f"training set {escape(str(model.metadata['training_set'])[:12])}")
    return f"<h1>The model of {names}</h1>\n<p>{', '.join(facts)}</p>"
