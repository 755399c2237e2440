"""Spectra on another wavelength grid, brought onto the model's.

Linear interpolation in log wavelength.  Interpolated pixels share the noise of their neighbours: by plain error
propagation a pixel half-way between two others has half their variance, but its neighbours repeat the same noise, and a
fit that takes pixels as independent would count every photon twice.  The variance here is the *interpolated variance*,
times the oversampling where the new grid is the finer one.  It conserves the information about whatever is wider than a
pixel, so that the errors of labels are right (their pulls are 1), at the price of a chi-square per pixel that is
somewhat below 1.
"""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.bad_pixels import GREATEST_IVAR, HUGE
from apogee_labels.core.arrays import Bools, Floats, Indices

SAME = 1e-3
"""Grids that agree within this share of a pixel everywhere are the same, and a target this near to a source pixel is it."""

LEAST = 1e-200
"""An inverse variance below this, whose inverse could overflow, is none."""

GAP = 3.0
"""Neighbouring source pixels further apart than this many times the median step are the two sides of a gap."""


def same_grid(first: Floats, second: Floats) -> bool:
    """Whether two wavelength grids have the same pixels."""
    if first.shape != second.shape:
        return False
    step = np.median(np.diff(second)) if len(second) > 1 else 1.0
    return bool(np.all(np.abs(first - second) <= SAME * step))


def regrid(wavelength: Floats, flux: Floats, ivar: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Bring spectra onto another wavelength grid.

    Parameters
    ----------
    wavelength
        Shape (Q,), vacuum Angstrom, ascending: the grid of the spectra.
    flux, ivar
        Shape (N, Q): normalised flux and its inverse variance.  A pixel without a possible flux and a possible inverse
        variance (:func:`apogee_labels.cannon.bad_pixels.mask_impossible`) has no information.
    target
        Shape (P,), vacuum Angstrom, ascending: the grid that is wanted.

    Returns
    -------
    flux, ivar
        Shape (N, P).  A target pixel that touches a source pixel without information, a gap or the outside of the
        source grid has flux 1 and inverse variance 0.

    Raises
    ------
    ValueError
        The grid is not ascending or does not fit the spectra.
    """
    if wavelength.ndim != 1 or len(wavelength) < 2 or not np.all(np.diff(wavelength) > 0) or wavelength[0] <= 0:
        raise ValueError(
            f"wavelength: expected at least two ascending values in Angstrom, got shape {wavelength.shape}."
        )
    if flux.shape[-1] != len(wavelength):
        raise ValueError(f"expected spectra of {len(wavelength)} pixels, as the wavelengths, got shape {flux.shape}.")
    left, share, reached, oversampling = _neighbours(np.log(wavelength), np.log(target))
    known = (ivar > LEAST) & (ivar <= GREATEST_IVAR) & (np.abs(flux) <= HUGE)
    variance = np.where(known, 1.0 / np.where(known, ivar, 1.0), 0.0)
    values = np.where(known, flux, 0.0)
    use_left, use_right = share < 1.0, share > 0.0
    good = reached & (known[:, left] | ~use_left) & (known[:, left + 1] | ~use_right)
    new_flux = (1.0 - share) * values[:, left] + share * values[:, left + 1]
    new_variance = ((1.0 - share) * variance[:, left] + share * variance[:, left + 1]) * oversampling
    return np.where(good, new_flux, 1.0), np.where(good, 1.0 / np.where(good, new_variance, 1.0), 0.0)


def _neighbours(source: Floats, target: Floats) -> tuple[Indices, Floats, Bools, Floats]:
    """Left neighbour, share of the right one, whether the source reaches there, and source step over target step (>= 1)."""
    steps = np.diff(source)
    left = np.clip(np.searchsorted(source, target, side="right") - 1, 0, len(steps) - 1).astype(np.intp)
    share = (target - source[left]) / steps[left]
    inside = (share >= -SAME) & (share <= 1.0 + SAME)
    share = np.clip(np.where(np.abs(share - np.round(share)) <= SAME, np.round(share), share), 0.0, 1.0)
    within = (steps[left] <= GAP * np.median(steps)) | (share == 0.0) | (share == 1.0)
    spacing = np.abs(np.gradient(target)) if len(target) > 1 else steps[left]
    return left, share, inside & within, np.maximum(steps[left] / spacing, 1.0)
