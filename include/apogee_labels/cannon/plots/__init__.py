"""Plots by plotly, one function a plot for a notebook.

Of a trained model, :func:`write_plots` makes a folder of pages; of a star,
:mod:`apogee_labels.pipeline.stars.star_page` makes one.
Plotly is imported when a plot is made, not before.
"""

from apogee_labels.cannon.plots.agreement import one_to_one
from apogee_labels.cannon.plots.chi_square import chi_square_distribution
from apogee_labels.cannon.plots.error_snr import error_against_snr
from apogee_labels.cannon.plots.held_out import NothingToPlotError
from apogee_labels.cannon.plots.pages import write_plots
from apogee_labels.cannon.plots.spectra import scatter_spectrum, theta_spectra

__all__ = [
    "NothingToPlotError",
    "chi_square_distribution",
    "error_against_snr",
    "one_to_one",
    "scatter_spectrum",
    "theta_spectra",
    "write_plots",
]
