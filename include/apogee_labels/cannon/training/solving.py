"""Solutions of many pixels' normal equations: least squares, with an L1 penalty, or within bounds; and covariances."""

from __future__ import annotations

import numpy as np
from scipy.linalg import get_lapack_funcs

from apogee_labels.cannon.training.lasso import SWEEPS, lasso, masked
from apogee_labels.core.arrays import Bools, Floats

SINGULAR = 1e-13
"""Reciprocal condition (of the matrix with unit diagonal) below which a pixel's stars do not determine its coefficients."""

FEW_TERMS = 32
"""Up to so many terms numpy's batches are the faster, above it a call of LAPACK for each pixel."""

_SAFE_PIVOT = 1e-7
_posv, _potrf, _potri = get_lapack_funcs(("posv", "potrf", "potri"), dtype=np.float64)


def undetermined(normal: Floats) -> Bools:
    """Which normal matrices, shape (P, T, T), are singular to working precision, shape (P,).

    The square of a Cholesky factor's diagonal is what a term keeps when those before it are projected out of it; the
    eigenvalues are found where that is little.
    """
    doubtful = ~(_pivots(normal) > _SAFE_PIVOT * np.einsum("pii->pi", normal)).all(axis=1)
    singular = np.zeros(len(normal), dtype=bool)
    singular[doubtful] = _is_singular(normal[doubtful])
    return singular


def least_squares(normal: Floats, moment: Floats) -> tuple[Floats, Bools]:
    """Solve N theta = m.

    Parameters
    ----------
    normal, moment
        Shapes (P, T, T) and (P, T); where a matrix is singular, `normal` becomes the unit matrix.

    Returns
    -------
    theta, singular
        Shapes (P, T) and (P,); theta is (1, 0, 0, ...) where `normal` is singular to working precision.
    """
    if normal.shape[1] <= FEW_TERMS:
        singular = undetermined(normal)
        theta = moment.copy()
        normal[singular], theta[singular] = np.eye(normal.shape[1]), np.eye(1, normal.shape[1])
        return np.asarray(np.linalg.solve(normal, theta[..., None])[..., 0], dtype=np.float64), singular
    theta, singular = np.empty(moment.shape), np.zeros(len(moment), dtype=bool)
    work = np.empty(normal.shape[1:], order="F")
    for pixel, (matrix, right) in enumerate(zip(normal, moment, strict=True)):
        work[...] = matrix.T
        theta[pixel], info = _posv(work, right, lower=1, overwrite_a=1)[1:]
        if info or (np.diag(work) ** 2 < _SAFE_PIVOT * np.diag(matrix)).any():
            singular[pixel] = _is_singular(matrix[None])[0]
            if singular[pixel]:
                matrix[...], theta[pixel] = np.eye(len(matrix)), np.eye(1, len(matrix))
            elif info:
                theta[pixel] = np.linalg.solve(matrix, right)
    return theta, singular


def optimum(
    normal: Floats, moment: Floats, strength: Floats, bounds: Floats | None, start: Floats, *, sweeps: int = SWEEPS
) -> Floats:
    """Minimise ``theta' N theta - 2 m' theta + Lambda sum_{d >= 1} |theta_d|``, within bounds if there are any.

    Parameters
    ----------
    normal, moment
        Shapes (P, T, T), positive definite, and (P, T).
    strength
        Lambda of each pixel, 0 or more, shape (P,).
    bounds
        Least and greatest value of each coefficient, shape (T, 2).
    start
        Where the search begins, shape (P, T).
    sweeps
        Passed on to :func:`apogee_labels.cannon.training.lasso.lasso`.
    """
    if bounds is None and not strength.any():
        return least_squares(normal, moment)[0]
    common = float(strength[0]) if (strength == strength[0]).all() else strength
    if bounds is None:
        return lasso(normal, moment, common, start, sweeps=sweeps)
    from apogee_labels.cannon.training.bounded import bounded

    return np.asarray(bounded(normal, moment, common, bounds[:, 0], bounds[:, 1], start))


def free_terms(theta: Floats, strength: Floats, bounds: Floats | None) -> Bools:
    """Which coefficients the stars determine: neither removed by the penalty nor at a bound, shape (P, T)."""
    free: Bools = (theta != 0.0) | (strength == 0.0)[:, None]
    free[:, 0] = True
    if bounds is not None:
        free &= (theta > bounds[:, 0]) & (theta < bounds[:, 1])
    return np.asarray(free)


def inverse(normal: Floats, free: Bools | None = None) -> Floats:
    """Inverse normal matrices of the free terms, with zeros for the others, shape (P, T, T)."""
    matrix = normal if free is None else masked(normal, free)
    if matrix.shape[1] <= FEW_TERMS:
        result = np.linalg.inv(matrix)
    else:
        result = np.empty(matrix.shape)
        work = np.empty(matrix.shape[1:], order="F")
        for one, target in zip(matrix, result, strict=True):
            work[...] = one.T
            factor = _potrf(work, lower=1, overwrite_a=1)[0]  # zero above the diagonal
            half = _potri(factor, lower=1, overwrite_c=1)[0]
            np.add(half, half.T, out=target)
        np.einsum("pii->pi", result)[...] /= 2.0
    if free is not None:
        result *= free[:, :, None] & free[:, None, :]
    return np.asarray(result)


def placed(inverse: Floats, terms: Bools) -> Floats:
    """Inverse normal matrices among all terms, with zeros for those that they do not have.

    Parameters
    ----------
    inverse
        Shape (P, t, t), with t at least the number of `terms`; what comes after these is left out.
    terms
        Which of all terms they are, shape (T,).

    Returns
    -------
    ndarray
        Shape (P, T, T).
    """
    where = np.flatnonzero(terms)
    result = np.zeros((len(inverse), len(terms), len(terms)))
    result[:, where[:, None], where] = inverse[:, : len(where), : len(where)]
    return result


def _pivots(normal: Floats) -> Floats:
    """Squares of the diagonals of Cholesky factors, shape (P, T); NaN where there may be none."""
    if normal.shape[1] <= FEW_TERMS:
        try:
            return np.asarray(np.einsum("pii->pi", np.linalg.cholesky(normal)) ** 2)
        except np.linalg.LinAlgError:
            return np.full(normal.shape[:2], np.nan)
    result, work = np.empty(normal.shape[:2]), np.empty(normal.shape[1:], order="F")
    for one, target in zip(normal, result, strict=True):
        work[...] = one.T
        factor, info = _potrf(work, lower=1, clean=0, overwrite_a=1)
        target[...] = np.nan if info else np.diag(factor) ** 2
    return result


def _is_singular(normal: Floats) -> Bools:
    scale = np.sqrt(np.einsum("pii->pi", normal))
    scale[~(scale > 0.0)] = 1.0
    unit = normal / (scale[:, :, None] * scale[:, None, :])
    return np.asarray(np.linalg.eigvalsh(unit)[:, 0] <= SINGULAR * normal.shape[1])
