"""The wavelength grid that all apStar files share: 8575 vacuum wavelengths at rest, equal steps in their logarithm."""

from __future__ import annotations

import numpy as np

from apogee_labels.core.arrays import Floats

N_PIXELS = 8575
LOG_START = 4.179
"""log10 of the first wavelength in Angstrom (CRVAL1)."""
LOG_STEP = 6e-6
"""Step of log10 of the wavelength from pixel to pixel (CDELT1)."""

WAVELENGTH: Floats = np.power(10.0, LOG_START + LOG_STEP * np.arange(N_PIXELS))
"""Vacuum wavelengths of the pixels in Angstrom, shape (8575,), 15100.80 to 16999.81; read-only."""
WAVELENGTH.setflags(write=False)

_TOLERANCE = 0.05 * LOG_STEP  # a keyword in single precision is 0.02 pixels off; no other reduction's grid is this near


def is_apstar_grid(start: float, step: float, reference_pixel: float) -> bool:
    """Whether the keywords CRVAL1, CDELT1 and CRPIX1 put every pixel where an apStar file has it."""
    first = start + (1.0 - reference_pixel) * step - LOG_START
    last = first + (N_PIXELS - 1) * (step - LOG_STEP)
    return abs(first) <= _TOLERANCE and abs(last) <= _TOLERANCE
