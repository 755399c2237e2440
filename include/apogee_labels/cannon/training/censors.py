"""Censoring: labels that act on chosen pixels only (Casey et al. 2016).

The abundance of an element is to be read from that element's lines, not from those that it happens to go along with in
the training set.  Where a label does not act, the coefficients of all terms that contain it are 0.
"""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.monomials import monomials
from apogee_labels.core.arrays import Bools


def allowed_terms(acts: Bools, order: int) -> Bools:
    """Which terms each pixel may have, shape (P, T), from which labels act on it, shape (P, L): those of no other label."""
    terms = monomials(acts.shape[1], order)
    allowed = np.ones((len(acts), len(terms)), dtype=bool)
    for position, factors in enumerate(terms.factors):
        for label in set(factors):
            allowed[:, position] &= acts[:, label]
    return allowed
