"""The plots of a model as a folder of HTML files that need no network: one for each plot, and an index of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.cannon.plots.agreement import one_to_one
from apogee_labels.cannon.plots.chi_square import chi_square_distribution
from apogee_labels.cannon.plots.error_snr import error_against_snr
from apogee_labels.cannon.plots.page import DrawnPlot, draw, write_page, write_script
from apogee_labels.cannon.plots.spectra import scatter_spectrum, theta_spectra

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.cannon.noise.repeatability import Repeats


PLOTS: dict[str, tuple[Callable[..., Figure], str]] = {
    "theta": (
        theta_spectra,
        "Where a line is far from zero, the flux of that pixel follows the label; it is the change of flux over the central "
        "95% of the training stars.",
    ),
    "scatter": (
        scatter_spectrum,
        "What the labels do not explain at each pixel: peaks are lines of elements that the model has no label for, or "
        "pixels that are badly reduced.",
    ),
    "one-to-one": (
        one_to_one,
        "Each star's labels by a model that was trained without it: points on the line are right, a tilt is a bias "
        "towards the middle of the training set.",
    ),
    "chi-square": (
        chi_square_distribution,
        "Bars that lie to the right of the line are spectra that the model describes less well than their noise allows.",
    ),
    "error-snr": (
        error_against_snr,
        "Errors are honest where the points lie on the solid line; what separates it from the dashed line is the "
        "empirical part.",
    ),
}
"""How each plot of a model is made, by the name of its file, and the sentence that tells its reader what to see."""


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
    plots = draw_plots(model, PLOTS, repeats)
    written = {plot.name: folder / f"{plot.name}.html" for plot in plots if not plot.missing}
    for plot in plots:
        if plot.missing:
            (folder / f"{plot.name}.html").unlink(missing_ok=True)
        else:
            write_page(written[plot.name], "page.html", title=plot.title, plots=[plot], links=True)
    written["index"] = folder / "index.html"
    write_page(written["index"], "plots.html", title="Plots of a model", model=model, plots=plots, links=True)
    return written


def draw_plots(model: CannonModel, names: Iterable[str], repeats: Repeats | None = None) -> list[DrawnPlot]:
    """Draw the plots of a model with these names."""
    options = {"error-snr": {"repeats": repeats}}
    return [draw(name, PLOTS[name][1], partial(PLOTS[name][0], model, **options.get(name, {}))) for name in names]
