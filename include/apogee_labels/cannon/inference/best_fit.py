"""The best of several starts of a fit, and what chi-square says about the labels there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apogee_labels.cannon.inference.optimisation import Minima
from apogee_labels.cannon.inference.quadratic_forms import QuadraticForms
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Bools, Floats, Indices

SIMILAR = 9.0
"""Another minimum whose chi-square is larger by less than this, and whose distance squared is more, is worth a flag."""

SINGULAR = 1e-12
"""Smallest eigenvalue of the information (with unit diagonal) at which the labels still count as determined."""


class BestFit(NamedTuple):
    """The start that was kept, for n spectra."""

    x: Floats
    """Scaled labels, shape (n, L)."""
    value: Floats
    """Chi-square, shape (n,)."""
    converged: Bools
    n_iterations: Indices
    several: Bools
    """Another start ended elsewhere with about the same chi-square, shape (n,)."""


def best_fit(minima: Minima, forms: QuadraticForms, vectorizer: PolynomialVectorizer) -> BestFit:
    """The lowest chi-square of the starts that converged; of all of them when none did."""
    value = np.where(minima.converged | ~minima.converged.any(axis=1, keepdims=True), minima.value, np.inf)
    which = value.argmin(axis=1)
    rows = np.arange(len(which))
    x, lowest = minima.x[rows, which], minima.value[rows, which]
    apart = minima.x - x[:, None]
    distance = np.einsum("nsl,nlm,nsm->ns", apart, fisher(forms, vectorizer.jacobian(x)), apart)
    several = (minima.converged & (minima.value - lowest[:, None] < SIMILAR) & (distance > SIMILAR)).any(axis=1)
    return BestFit(x, lowest, minima.converged[rows, which], minima.n_iterations[rows, which], several)


def fisher(forms: QuadraticForms, jacobian: Floats) -> Floats:
    """J'AJ, shape (n, L, L), with the terms' derivatives J by the scaled labels, shape (n, T, L)."""
    slopes = jacobian[:, 1:]
    return np.asarray(np.swapaxes(slopes, 1, 2) @ (forms.a @ slopes))


def inverse(information: Floats) -> tuple[Floats, Bools]:
    """Inverse of matrices (n, L, L), and which of them determine the labels; the inverse is NaN where they do not."""
    scale = np.sqrt(np.maximum(np.einsum("nll->nl", information), np.finfo(float).tiny))
    norm = scale[:, :, None] * scale[:, None, :]
    unit = information / norm
    poor = ~(np.linalg.eigvalsh(unit)[:, 0] >= SINGULAR)
    unit[poor] = np.eye(information.shape[1])
    covariance = np.linalg.inv(unit) / norm
    covariance[poor] = np.nan
    return covariance, ~poor
