"""Plots by plotly, one function a plot for a notebook.

Of a trained model, :func:`write_plots` makes a folder of pages; of a star, :mod:`include.pipeline.star_page` makes one.
Plotly is imported when a plot is made, not before.
"""

from include.cannon.plots.agreement import one_to_one
from include.cannon.plots.chi_square import chi_square_distribution
from include.cannon.plots.error_snr import error_against_snr
from include.cannon.plots.held_out import NothingToPlotError
from include.cannon.plots.pages import write_plots
from include.cannon.plots.scatter import scatter_spectrum
from include.cannon.plots.star import labels_of_visits
from include.cannon.plots.theta import theta_spectra

__all__ = [
    "NothingToPlotError",
    "chi_square_distribution",
    "error_against_snr",
    "labels_of_visits",
    "one_to_one",
    "scatter_spectrum",
    "theta_spectra",
    "write_plots",
]
