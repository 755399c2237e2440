"""Variation between stars that the labels do not describe: what the residuals of a training set have in common.

A model of three labels leaves the lines of [alpha/Fe], of rotation or of single elements unexplained.  Per pixel that
is intrinsic scatter; but it is the same in all lines of an element, and a fit that takes it for independent noise moves
the labels to follow it.  So a star's flux is theta.v + Lambda.z + noise, with K latent variables z of unit variance: in
training z are the principal components of the stars' weighted residuals, orthogonal to the terms v over the stars (what
labels can explain is theirs), and theta, the loadings Lambda and the scatter follow from one fit with z as further
terms; in inference z are nuisances with a unit normal prior (:mod:`apogee_labels.cannon.inference.quadratic_forms`).

Noisy training labels leave residuals that look like the labels' own lines.  A few components may then take labels'
lines for nuisances, so K is never assumed: :mod:`apogee_labels.cannon.validation.cross_validation` chooses it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from apogee_labels.cannon.training.scatter import weights
from apogee_labels.core.arrays import Bools, Floats, Indices

MOST_STARS = 2_000
"""Stars up to which the principal components come from a dense decomposition, which takes the cube of their number."""

TOLERANCE = 1e-10
"""Residual of an iterated component over its eigenvalue: it is right to this over its distance from the next one."""

_BLOCK = 512
_VECTORS = 40  # of the iteration, at least
_STARS_EACH = 20  # with fewer for each component, nearly all vectors are asked for


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
        Shape (n, K): orthogonal to each other and to the terms, of unit mean square.  They do not depend on the order of
        the stars, and for more than ``MOST_STARS`` need no memory beside the products of the residuals.
    """
    chosen = np.arange(len(common.gram)) if stars is None else np.flatnonzero(stars)
    iterate = len(chosen) > max(MOST_STARS, _STARS_EACH * count)
    leading = (_iterated if iterate else _decomposed)(common.gram, chosen, count)
    leading = leading * np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(count)])  # whatever the method
    weight = common.weight[chosen]
    # A bright star's residuals were given more weight, not more variation.
    scores = leading / np.sqrt(np.where(weight > 0.0, weight, np.inf))[:, None]
    terms = np.linalg.qr(design)[0]
    scores = scores - terms @ (terms.T @ scores)
    orthogonal, triangle = np.linalg.qr(scores)
    return np.asarray(orthogonal * np.sign(np.diag(triangle)) * np.sqrt(len(scores)))


def _decomposed(gram: Floats, chosen: Indices, count: int) -> Floats:
    """Eigenvectors of the stars that are chosen, shape (n, K), that of the largest eigenvalue first."""
    from scipy.linalg import eigh

    n_stars = len(chosen)
    part = gram if n_stars == len(gram) else gram[np.ix_(chosen, chosen)]
    return np.asarray(eigh(part, lower=True, subset_by_index=[n_stars - count, n_stars - 1])[1][:, ::-1])


def _iterated(gram: Floats, chosen: Indices, count: int) -> Floats:
    """The same by Lanczos iteration, which multiplies vectors by the lower triangle as it is, without a copy.

    It starts from the lengths of the stars' residuals: whatever the order of the stars, that is the same vector.
    """
    from scipy.linalg import get_blas_funcs
    from scipy.sparse import linalg

    sparse: Any = linalg  # scipy's annotations are of a part of it
    symmetric_product, vector = get_blas_funcs("symv", dtype=np.float64), np.zeros(len(gram))

    def product(values: Floats) -> Floats:
        vector[chosen] = values.ravel()  # 0 for the other stars
        return np.asarray(symmetric_product(1.0, gram, vector, lower=1)[chosen])

    n_stars = len(chosen)
    operator = sparse.LinearOperator((n_stars, n_stars), matvec=product, dtype=np.float64)
    start = np.sqrt(np.diagonal(gram)[chosen])
    size = min(max(_VECTORS, 2 * count + 1), n_stars)
    values, vectors = sparse.eigsh(operator, count, which="LA", v0=start, ncv=size, tol=TOLERANCE)
    return np.asarray(vectors[:, np.argsort(-values)])
