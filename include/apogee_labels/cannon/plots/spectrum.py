"""A spectrum as a line that is broken where there is nothing to show."""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.continuum.normalization import DETECTORS
from apogee_labels.core.arrays import Bools, Floats, Indices

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
