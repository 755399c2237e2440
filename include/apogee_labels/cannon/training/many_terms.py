"""The scatter where the terms are many, without a normal matrix.

17 labels have 171 terms; to sum a pixel's normal matrix takes hundreds of times as long as to predict its stars.  But
the matrices of all pixels are alike: the weights W = 1 / (sigma^2 + s2) lie between those of the noise alone and equal
ones, and a few stars are missing.  So the terms are given a basis Q in which both ends, Q' diag(1 / sigma^2) Q and Q'
Q, are diagonal, and a pixel's Q' W Q nearly is: conjugate gradients with its diagonal d as the preconditioner fit a
pixel in a few products with Q, and sum_k Q_nk^2 / d_k are leverages whose sum with the weights is exactly the number of
terms.  Residuals and leverages give s2; the coefficients are then solved for exactly, once, at that s2.
"""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.training.scatter import Moves, ScatterRule, ScatterSearch
from apogee_labels.core.arrays import Floats, Singles

MANY_TERMS = 32
"""Number of terms from which this way is taken, if there are ``STARS_PER_TERM`` stars for each."""

STARS_PER_TERM = 8
"""With fewer stars a term, a pixel's own pattern of missing ones moves its normal matrix too far from the others': the
error of s2, below a hundredth of its standard error in ordinary spectra, becomes a tenth of it."""

_ROUNDS, _ITERATIONS, _STEPS = 12, 40, 3
_EXCESS = 1e-3


class SharedBasis:
    """Terms of the stars, combined so that every pixel's normal matrix is nearly diagonal.

    Parameters
    ----------
    design
        Terms of the stars, shape (N, T).
    ivar
        Shape (N, P), 0 where nothing is known.
    """

    def __init__(self, design: Floats, ivar: Floats) -> None:
        typical = ivar.mean(axis=1)
        present = (typical > 0.0)[:, None]
        orthogonal = np.linalg.qr(design * present)[0]
        turn = np.linalg.eigh(orthogonal.T @ (typical[:, None] * orthogonal))[1]
        self._basis: Singles = (orthogonal @ turn).astype(np.float32)
        self._squared: Singles = self._basis**2

    @staticmethod
    def serves(n_stars: int, n_terms: int) -> bool:
        """Whether the terms are many, and the stars enough for them."""
        return n_terms >= MANY_TERMS and n_stars >= STARS_PER_TERM * n_terms

    def scatter(self, flux: Floats, search: ScatterSearch, rule: ScatterRule) -> Floats:
        """Scatter of a block of pixels.

        Parameters
        ----------
        flux
            Shape (P, N).
        search
            Of the same pixels.
        rule
            How it is estimated.
        """
        residual = flux.astype(np.float32)
        residual *= search.root
        if rule is ScatterRule.MEDIAN:
            self._fit(search.weigh(np.zeros(len(residual))), residual, search)
            search.set_scaled(residual, None)
            return search.median()
        moves, s2 = Moves(len(residual)), search.start
        for _ in range(_ROUNDS):
            diagonal = self._fit(search.weigh(s2), residual, search)
            leverage = np.reciprocal(diagonal) @ self._squared.T if rule is ScatterRule.RESTRICTED else None
            search.set_scaled(residual, leverage)
            s2 = moves.after(s2, *search.improve(s2, steps=_STEPS))
            if moves.settled.all():
                break
        return s2

    def _fit(self, weight: Singles, residual: Singles, search: ScatterSearch) -> Singles:
        """Fit the terms to `residual`, shape (P, N), in place, until chi-square is within ``_EXCESS`` of the least.

        Returns
        -------
        ndarray
            Diagonals of the normal matrices in the basis, shape (P, T).
        """
        diagonal = np.maximum(weight @ self._squared, np.finfo(np.float32).tiny)
        gradient = (weight * residual) @ self._basis
        reduced = gradient / diagonal
        direction, excess = reduced, np.vecdot(gradient, reduced)
        for _ in range(_ITERATIONS):
            if not (excess[search.alive] > _EXCESS).any():
                break
            moved = direction @ self._basis.T
            image = (weight * moved) @ self._basis
            length = excess / np.maximum(np.vecdot(direction, image), np.finfo(np.float32).tiny)
            moved *= length[:, None]
            residual -= moved
            gradient -= length[:, None] * image
            reduced = gradient / diagonal
            old, excess = excess, np.vecdot(gradient, reduced)
            direction = reduced + (excess / np.maximum(old, np.finfo(np.float32).tiny))[:, None] * direction
        return np.asarray(diagonal)
