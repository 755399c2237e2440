"""Normal matrices and moments to solve: what the tests of the solvers share."""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.training.active_set import pull
from apogee_labels.cannon.training.bounded import penalties
from apogee_labels.cannon.training.lasso import strengths
from apogee_labels.core.arrays import Floats


def make_problem(n_pixels: int, n_terms: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Normal matrices of correlated columns, and moments of sparse coefficients with noise."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(n_terms) + 0.4 * rng.normal(size=(n_terms, n_terms))
    design = rng.normal(size=(n_pixels, 60, n_terms)) @ mixing
    truth = rng.normal(size=(n_pixels, n_terms)) * (rng.random((n_pixels, n_terms)) < 0.4)
    flux = np.einsum("pnt,pt->pn", design, truth) + rng.normal(0, 0.5, (n_pixels, 60))
    return np.einsum("pns,pnt->pst", design, design), np.einsum("pnt,pn->pt", design, flux)


def make_spectra(n_pixels: int, n_labels: int, *, n_stars: int = 600, seed: int = 11) -> tuple[Floats, Floats]:
    """Normal matrices of quadratic terms of correlated labels, as stars of S/N 150 with one per cent scatter give."""
    rng = np.random.default_rng(seed)
    labels = 0.25 * (rng.normal(size=(n_stars, 5)) @ rng.normal(size=(5, n_labels)) / 5**0.5)
    terms = monomials(n_labels, 2)
    design = terms.evaluate(labels + 0.1 * rng.normal(size=labels.shape))
    truth = rng.normal(0, 0.1, (n_pixels, len(terms))) * (rng.random((n_pixels, len(terms))) < 0.2)
    truth[:, 0] = 0.9
    weight = 1.0 / (np.exp(rng.normal(0, 0.4, (n_stars, n_pixels))) / 150**2 + 1e-4)
    flux = design @ truth.T + rng.normal(size=weight.shape) / np.sqrt(weight)
    return np.einsum("np,ns,nt->pst", weight, design, design, optimize=True), (weight * flux).T @ design


def make_nearly_singular(n_pixels: int, n_terms: int, *, condition: float = 1e12) -> tuple[Floats, Floats]:
    """Normal matrices of that condition, and moments in their range with noise."""
    rng = np.random.default_rng(21)
    basis = np.linalg.qr(rng.normal(size=(n_pixels, n_terms, n_terms)))[0]
    normal = np.einsum("pij,j,pkj->pik", basis, np.geomspace(1e6, 1e6 / condition, n_terms), basis)
    normal = 0.5 * (normal + np.swapaxes(normal, 1, 2))
    return normal, np.einsum("pij,pj->pi", normal, rng.normal(size=(n_pixels, n_terms)))


def kkt_residual(
    normal: Floats,
    moment: Floats,
    regularization: float | Floats,
    theta: Floats,
    lower: Floats | None = None,
    upper: Floats | None = None,
) -> Floats:
    """How far each pixel is from the optimality conditions, shape (P,): infinite outside the bounds.

    Within them, the largest gradient that pulls a coefficient where it may go, as a share of Lambda, without one of the
    largest gradient at theta = 0, without that of 1.
    """
    strength = strengths(regularization, len(moment))
    endless = np.full(moment.shape[1], np.inf)
    lower, upper = -endless if lower is None else lower, endless if upper is None else upper
    gradient = 2.0 * (np.einsum("pij,pj->pi", normal, theta) - moment)
    pulls = np.abs(pull(gradient, penalties(strength, lower, upper), theta)).max(axis=1)
    scale = np.where(strength > 0.0, strength, 2.0 * np.abs(moment).max(axis=1))
    inside = ((theta >= lower) & (theta <= upper)).all(axis=1)
    return np.where(inside, pulls / np.where(scale > 0.0, scale, 1.0), np.inf)
