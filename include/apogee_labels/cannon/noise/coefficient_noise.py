"""The noise of a model's coefficients, and the labels freed from what it does to them.

A pixel's coefficients come from finitely many stars: their error has the covariance C_p = inv(V' W V), the inverse normal
matrix of its training.  The chi-square of a spectrum sees theta squared, so that A = theta' W theta is too large by S =
sum_p W_p C_p on average: lines look stronger than they are, labels are drawn to where the terms are small, and formal
errors are too small.

The minimum of chi2 - v'Sv is sought from that of chi2 by one local step, because A - S loses its definiteness for faint
spectra.  With J the derivatives of the terms by the labels, H = J'AJ, D = J'SJ and the generalised eigenvectors u_k of
(D, H), D u = w H u, u'Hu = 1, and y_k = u_k'J'Sv, Newton's step along u_k is y_k / (1 - w_k).  It is shrunk by

    l_k = max(0, 1 - w_k^2 / y_k^2) min(1, 0.7 / w_k)

to l_k y_k / (1 - l_k w_k), of variance 1 / (1 - l_k w_k): the same gain, and safe at any signal-to-noise ratio.

C_p hardly differs between pixels but for its size, which follows the scatter: a few modes with an amplitude a pixel
hold it (:mod:`apogee_labels.cannon.noise.noise_modes`), and S is a product of the weights with the amplitudes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apogee_labels.core.arrays import Bools, Floats

LARGEST_SHARE = 0.7
"""Share w of a direction's information that may be taken for the coefficients' noise."""


@dataclass(frozen=True, eq=False)
class CoefficientNoise:
    """Covariances of the coefficients of all pixels, C_p = sum_r amplitude_pr mode_r.

    Parameters
    ----------
    amplitudes
        Shape (P, R); 0 in pixels that were not trained.
    modes
        Shape (R, T, T), symmetric, the constant term first.
    """

    amplitudes: Floats
    modes: Floats

    def covariance(self) -> Floats:
        """C of every pixel, shape (P, T, T)."""
        return np.tensordot(self.amplitudes, self.modes, axes=1)

    def excess(self, weighted: Floats) -> Floats:
        """S of n spectra, shape (n, T, T), from the sums of their weights times the amplitudes, shape (n, R)."""
        return np.tensordot(weighted, self.modes, axes=1)


def corrected(terms: Floats, jacobian: Floats, fisher: Floats, excess: Floats, usable: Bools) -> tuple[Floats, Floats]:
    """One local step from the minimum of chi-square to that without the coefficients' noise.

    Parameters
    ----------
    terms, jacobian
        Terms v and their derivatives J by the scaled labels at the minimum, shapes (n, T) and (n, T, L).
    fisher
        H = J'AJ, shape (n, L, L).
    excess
        S, shape (n, T, T).
    usable
        Where H is positive definite, shape (n,); elsewhere the step is 0 and the covariance NaN.

    Returns
    -------
    step, covariance
        Shapes (n, L) and (n, L, L), in scaled labels.
    """
    pushed = excess @ jacobian  # S J
    slope = np.einsum("ntl,nt->nl", pushed, terms)
    along, share = _directions(fisher, np.swapaxes(jacobian, 1, 2) @ pushed, usable)
    component = np.einsum("nlk,nl->nk", along, slope)
    shrunk = _shrinkage(share, component)
    left = 1.0 - shrunk * share
    step = np.einsum("nlk,nk->nl", along, shrunk * component / left)
    covariance = (along / left[:, None, :]) @ np.swapaxes(along, 1, 2)
    covariance[~usable] = np.nan
    return np.where(usable[:, None], step, 0.0), covariance


def _directions(fisher: Floats, excess: Floats, usable: Bools) -> tuple[Floats, Floats]:
    """Generalised eigenvectors U of (D, H) with U'HU = 1, as columns, shape (n, L, L), and their eigenvalues (n, L)."""
    unit = np.eye(fisher.shape[1])
    scale = np.sqrt(np.where(usable[:, None], np.einsum("nll->nl", fisher), 1.0))
    norm = scale[:, :, None] * scale[:, None, :]
    lower = np.linalg.cholesky(np.where(usable[:, None, None], fisher / norm, unit))
    inverse = np.linalg.solve(lower, np.broadcast_to(unit, lower.shape)) / scale[:, None, :]
    share, vectors = np.linalg.eigh(inverse @ excess @ np.swapaxes(inverse, 1, 2))
    return np.swapaxes(inverse, 1, 2) @ vectors, np.maximum(share, 0.0)


def _shrinkage(share: Floats, component: Floats) -> Floats:
    """Share l of the step that is taken in every direction: 0 where the step is not larger than its own noise."""
    squares = np.divide(share**2, component**2, out=np.full_like(share, np.inf), where=component != 0.0)
    limit = np.divide(LARGEST_SHARE, share, out=np.ones_like(share), where=share > LARGEST_SHARE)
    return np.asarray(np.maximum(0.0, 1.0 - squares) * limit)
