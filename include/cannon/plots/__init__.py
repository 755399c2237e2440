"""The plots of a trained model, by plotly: for a notebook one function a plot, for a folder :func:`write_plots`.

Plotly is imported when a plot is made, not before.
"""

from include.cannon.plots.agreement import one_to_one
from include.cannon.plots.chi_square import chi_square_distribution
from include.cannon.plots.error_snr import error_against_snr
from include.cannon.plots.held_out import NothingToPlotError
from include.cannon.plots.pages import write_plots
from include.cannon.plots.scatter import scatter_spectrum
from include.cannon.plots.theta import theta_spectra

__all__ = [
    "NothingToPlotError",
    "chi_square_distribution",
    "error_against_snr",
    "one_to_one",
    "scatter_spectrum",
    "theta_spectra",
    "write_plots",
]
