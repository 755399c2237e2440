"""Variation between stars that the labels do not describe: what the residuals of a training set have in common.

A model of three labels leaves the lines of [alpha/Fe], of rotation or of single elements unexplained.  Per pixel that
is intrinsic scatter; but it is the same in all lines of an element, and a fit that takes it for independent noise moves
the labels to follow it.  So a star's flux is theta.v + Lambda.z + noise, with K latent variables z of unit variance: in
training z are the principal components of the stars' weighted residuals, orthogonal to the terms v over the stars (what
labels can explain is theirs), and theta, the loadings Lambda and the scatter follow from one fit with z as further
terms; in inference z are nuisances with a unit normal prior (:mod:`include.cannon.quadratic_forms`).

Noisy training labels leave residuals that look like the labels' own lines.  A few components may then take labels'
lines for nuisances, so K is never assumed: :mod:`include.cannon.cross_validation` chooses it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from include.cannon.scatter import weights

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_BLOCK = 512


class Residuals(NamedTuple):
    """What the residuals of N stars have in common."""

    gram: Floats
    """Products of the stars' weighted residuals, summed over the pixels, shape (N, N); its lower triangle is filled."""
    weight: Floats
    """Sum of each star's weights, shape (N,)."""


def residuals(design: Floats, theta: Floats, s2: Floats, flux: Floats, ivar: Floats) -> Residuals:
    """Return the products of the residuals of a fit.

    Parameters
    ----------
    design
        Terms of the stars, shape (N, T).
    theta, s2
        A fit without latent variables, shapes (P, T) and (P,); pixels of infinite s2 are left out.
    flux, ivar
        Shape (N, P).
    """
    from scipy.linalg import get_blas_funcs

    gram, total = np.zeros((len(flux), len(flux)), order="F"), np.zeros(len(flux))
    symmetric_product = get_blas_funcs("syrk", dtype=np.float64)
    informative = np.flatnonzero(np.isfinite(s2))
    for start in range(0, len(informative), _BLOCK):
        pixels = informative[start : start + _BLOCK]
        weight = weights(ivar[:, pixels], s2[pixels])
        residual = flux[:, pixels]
        residual -= design @ theta[pixels].T
        total += weight.sum(axis=1)
        residual *= np.sqrt(weight, out=weight)
        gram = symmetric_product(1.0, residual.T, beta=1.0, c=gram, trans=1, lower=1, overwrite_c=1)
    return Residuals(gram, total)


def latent_scores(common: Residuals, design: Floats, *, count: int, stars: Bools | None = None) -> Floats:
    """Latent variables of the training stars, the one that explains most first.

    Parameters
    ----------
    common
        Of all the stars.
    design
        Terms of the stars that are chosen, shape (n, T).
    count
        Number K of latent variables, at most n - T.
    stars
        Which stars to take, shape (N,), n of them; default: all.

    Returns
    -------
    ndarray
        Shape (n, K): orthogonal to each other and to the terms, of unit mean square.
    """
    from scipy.linalg import eigh

    gram, weight = common
    if stars is not None:
        chosen = np.flatnonzero(stars)
        gram, weight = gram[np.ix_(chosen, chosen)], weight[chosen]
    leading = eigh(gram, lower=True, subset_by_index=[len(gram) - count, len(gram) - 1], check_finite=False)[1][:, ::-1]
    # A bright star's residuals were given more weight, not more variation.
    scores = leading / np.sqrt(np.where(weight > 0.0, weight, np.inf))[:, None]
    terms = np.linalg.qr(design)[0]
    scores = scores - terms @ (terms.T @ scores)
    orthogonal, triangle = np.linalg.qr(scores)
    return np.asarray(orthogonal * np.sign(np.diag(triangle)) * np.sqrt(len(scores)))
