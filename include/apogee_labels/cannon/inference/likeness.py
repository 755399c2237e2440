"""Whether a spectrum is like those of the training set: how much of its lines the model leaves unexplained.

Reduced chi-square does not tell: at high signal-to-noise ratio the smallest fault of the model raises it, at low ratio
nothing does.  What a featureless spectrum would leave, chi2_flat, measures the lines that are there; with n degrees of
freedom

    u = (chi2_model - n) / (chi2_flat - n)

is the share of them that the model does not explain.  Both have the residual continuum projected out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apogee_labels.core.arrays import Bools, Floats, Indices

UNEXPLAINED = 0.2
"""Share above which a spectrum is unlike the training set: giants have below 0.13 at a ratio of 17 and below 0.03 at 45; an
F dwarf given to a model of giants has 0.44."""

SIGNIFICANT = 5.0
"""Standard deviations of chi-square, sqrt(2 n), by which it must exceed n to say anything."""


class Likeness(NamedTuple):
    """Of n spectra."""

    unexplained: Floats
    """u, shape (n,); NaN where no lines are seen."""
    unlike: Bools
    """u is large, and so is chi-square, shape (n,)."""
    no_lines: Bools
    """A featureless spectrum describes it as well, shape (n,)."""


def likeness(chi_sq: Floats, flat_chi_sq: Floats, freedom: Indices) -> Likeness:
    """Compare chi-square of the model with that of no lines, each shape (n,); `freedom` is the number n, above 0."""
    least = SIGNIFICANT * np.sqrt(2.0 * freedom)
    no_lines = ~(flat_chi_sq - freedom >= least)
    excess = chi_sq - freedom
    share = np.divide(excess, flat_chi_sq - freedom, out=np.full(len(chi_sq), np.nan), where=~no_lines)
    return Likeness(share, ~no_lines & (share > UNEXPLAINED) & (excess > least), no_lines)
