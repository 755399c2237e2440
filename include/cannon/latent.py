"""Variation between stars that the labels do not describe: what the residuals of a training set have in common.

A model of three labels leaves the lines of [alpha/Fe], of rotation or of single elements unexplained.  Per pixel that
is intrinsic scatter; but it is the same in all lines of an element, and a fit that takes it for independent noise moves
the labels to follow it.  So a star's flux is theta.v + Lambda.z + noise, with K latent variables z of unit variance: in
training z are the principal components of the stars' weighted residuals, orthogonal to the terms v over the stars (what
labels can explain is theirs), and theta, the loadings Lambda and the scatter follow from one fit with z as further
terms; in inference z are nuisances with a unit normal prior (:mod:`include.cannon.quadratic_forms`).

Noisy training labels leave residuals that look like the labels' own lines.  A few components may then take labels'
lines for nuisances, so K is never assumed: :mod:`include.cannon.validation` chooses it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.cannon.scatter import weights

Floats = NDArray[np.float64]

_BLOCK = 512


def latent_scores(design: Floats, theta: Floats, s2: Floats, flux: Floats, ivar: Floats, *, count: int) -> Floats:
    """Latent variables of the training stars, the one that explains most first.

    Parameters
    ----------
    design
        Terms of the stars, shape (N, T).
    theta, s2
        A fit without latent variables, shapes (P, T) and (P,); pixels of infinite s2 are left out.
    flux, ivar
        Shape (N, P).
    count
        Number K of latent variables, at most N - T.

    Returns
    -------
    ndarray
        Shape (N, K): orthogonal to each other and to the terms, of unit mean square.
    """
    gram, weight = _gram(design, theta, s2, flux, ivar)
    leading = np.linalg.eigh(gram)[1][:, ::-1][:, :count]
    # A bright star's residuals were given more weight, not more variation.
    scores = leading / np.sqrt(np.where(weight > 0.0, weight, np.inf))[:, None]
    terms = np.linalg.qr(design)[0]
    scores = scores - terms @ (terms.T @ scores)
    orthogonal, triangle = np.linalg.qr(scores)
    return np.asarray(orthogonal * np.sign(np.diag(triangle)) * np.sqrt(len(scores)))


def _gram(design: Floats, theta: Floats, s2: Floats, flux: Floats, ivar: Floats) -> tuple[Floats, Floats]:
    """Products of the stars' weighted residuals, shape (N, N), and the sum of each star's weights, shape (N,)."""
    gram, total = np.zeros((len(flux), len(flux))), np.zeros(len(flux))
    informative = np.flatnonzero(np.isfinite(s2))
    for start in range(0, len(informative), _BLOCK):
        pixels = informative[start : start + _BLOCK]
        weight = weights(ivar[:, pixels], s2[pixels])
        residual = np.sqrt(weight) * (flux[:, pixels] - design @ theta[pixels].T)
        gram += residual @ residual.T
        total += weight.sum(axis=1)
    return gram, total
