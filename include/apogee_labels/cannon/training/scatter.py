"""The intrinsic scatter of a pixel: the variance that the model leaves unexplained beyond the noise.

With W = 1 / (sigma^2 + s2), residuals r and, for the restricted likelihood, the leverages h = v' C v of the stars (C
the inverse normal matrix), the derivative of the objective by s2 is

    F(s2) = sum W - sum W^2 (r^2 + h).

Maximum likelihood (h = 0) takes the residuals of a fit for the errors and so finds too small a scatter when the terms
are many for the stars; the restricted likelihood (Patterson & Thompson 1971) accounts for the terms that were fitted.

The median rule is AnniesLasso's (0.2.96, ``thecannon/fitting.py``, ``fit_pixel_fixed_scatter``): from the residuals of
a fit with the noise alone for its errors, the s2 with median(W r^2) = 1 over all stars, those without weight (W = 0)
included, and 0 if the median is below 1 without any.  As W r^2 <= 1 where r^2 - sigma^2 <= s2, that is the median of
r^2 - sigma^2.  A chi-square of one degree of freedom has the median 0.455, so that this finds a scatter only where it
exceeds the noise.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from apogee_labels.core.arrays import Bools, Floats, Singles

PRECISION = 1e-3
"""Share of its standard error by which s2 may still move."""

_LEAST_SLOPE, _LARGEST_SLOPE = 0.3, 3.0
_EXTRAPOLATED, _LARGEST_FACTOR, _STILL = 0.1, 0.3, 0.05


class ScatterRule(StrEnum):
    """How the intrinsic scatter is estimated."""

    RESTRICTED = "restricted"  # restricted likelihood: unbiased by the number of terms
    LIKELIHOOD = "likelihood"  # maximum likelihood, as Ness et al. 2015 write it
    MEDIAN = "median"  # AnniesLasso's: 0 in most pixels


def weights(ivar: Floats, s2: Floats, out: Floats | None = None) -> Floats:
    """Return 1 / (1 / ivar + s2), which is 0 where ivar is: shape (N, P) with s2 (P,)."""
    total = np.multiply(ivar, s2, out=out)
    total += 1.0
    return np.divide(ivar, total, out=total)


def newton_step(weight: Singles, square: Singles, spare: Singles) -> tuple[Floats, Floats]:
    """One step towards the root of F, for all pixels at once.

    The iteration is Newton's on sum W^2 (q - sigma^2) / sum W^2 - s2, with q = r^2 + h: the scatter that would follow
    if the weights were right already.  It is exact at once for equal errors, and cannot run away, where Newton on F
    itself does.

    Parameters
    ----------
    weight
        W, shape (P, N).
    square
        q = r^2 + h, shape (P, N).
    spare
        Working memory, shape (P, N); its content is lost.

    Returns
    -------
    step, information
        Shape (P,): what to add to s2, and sum W^2, twice the Fisher information about s2.
    """
    excess = np.multiply(weight, square, out=spare)
    total, explained = weight.sum(axis=1), np.vecdot(weight, excess)
    excess *= weight
    third = np.vecdot(weight, excess)
    information = np.vecdot(weight, weight).astype(np.float64)
    cube = np.vecdot(weight, np.multiply(weight, weight, out=spare))
    value = (explained - total) / information
    slope = 1.0 - 2.0 * (value * cube - (third - information)) / information
    return value / np.clip(slope, _LEAST_SLOPE, _LARGEST_SLOPE), information


class ScatterSearch:
    """The scatter of a block of pixels from their residuals.

    It works in single precision, which is far finer than s2 can be known, in units of each pixel's typical noise.

    Parameters
    ----------
    variance
        sigma^2, infinite where nothing is known, shape (P, N).
    alive
        Which pixels can be trained, shape (P,); the scatter of the others has no meaning.
    work
        Working memory, shape (4, P, N).
    """

    def __init__(self, variance: Floats, alive: Bools, work: Singles) -> None:
        self.alive = alive
        self.variance, self.square, self.weight, self.spare = work
        # Fourth roots: a star or two without noise do not decide, from far below whose s2 could end in a mode at 0.
        roots = np.sqrt(np.sqrt(np.reciprocal(variance)))
        mean = roots.sum(axis=1) / np.maximum(np.count_nonzero(roots, axis=1), 1)
        self.unit = np.where(alive & (mean > 0.0), mean, 1.0) ** 4
        """What a variance is multiplied with, shape (P,)."""
        with np.errstate(over="ignore"):  # infinite: no weight
            np.multiply(variance, self.unit[:, None], out=self.variance, casting="same_kind")

    def weigh(self, s2: Floats) -> Singles:
        """Set the weights to those at s2, shape (P,), and return them, in their unit."""
        np.add(self.variance, (s2 * self.unit).astype(np.float32)[:, None], out=self.weight)
        np.reciprocal(self.weight, out=self.weight)
        self.weight[~self.alive] = 1.0
        return np.asarray(self.weight, dtype=np.float32)

    @property
    def start(self) -> Floats:
        """First guess of s2, shape (P,): as large as the noise."""
        return np.asarray(1.0 / self.unit)

    @property
    def root(self) -> Singles:
        """What a flux is multiplied with, shape (P, 1)."""
        return np.asarray(np.sqrt(self.unit)[:, None], dtype=np.float32)

    def set_residual(self, residual: Floats, leverage: Singles | None = None) -> None:
        """Take residuals, shape (P, N), as those of the best fit; as to leverages see :meth:`set_scaled`."""
        self.square[...] = residual
        self.square *= self.root
        self.set_scaled(self.square, leverage)

    def set_scaled(self, residual: Singles, leverage: Singles | None) -> None:
        """Take residuals and, for the restricted likelihood, leverages, both in the units of each pixel's noise."""
        np.multiply(residual, residual, out=self.square)
        if leverage is not None:
            self.square += leverage

    def improve(self, s2: Floats, *, steps: int) -> tuple[Floats, Floats]:
        """A few Newton steps on s2, with residuals and leverages as they are.

        Returns
        -------
        s2, change
            Shape (P,): the better s2, and by how many of its standard errors it moved, 0 for pixels that are not alive.
        """
        old = new = s2 * self.unit
        for _ in range(steps):
            step, information = newton_step(self.weigh(new / self.unit), self.square, self.spare)
            new = np.maximum(new + step, 0.0)
        change = np.abs(new - old) * np.sqrt(0.5 * information)
        return new / self.unit, np.where(self.alive, change, 0.0)

    def median(self) -> Floats:
        """The s2 of the median rule, shape (P,), from the residuals of a fit at s2 = 0."""
        excess = np.median(np.subtract(self.square, self.variance, out=self.spare), axis=1)
        return np.asarray(np.maximum(excess, 0.0) / self.unit)


class Moves:
    """The moves of s2 while theta and s2 are improved in turn, and when they end.

    Each pixel's moves shrink by a factor of its own, so that after every second one those to come are added at once.
    What becomes of a pixel does not depend on the others that it is worked on with.

    Parameters
    ----------
    n_pixels
        Number of pixels P.

    Attributes
    ----------
    settled : ndarray of bool
        Whose next move would be too small to matter, shape (P,); they stay where they are.
    large : ndarray of bool
        Whose last move was large enough to change the leverages, shape (P,).
    """

    def __init__(self, n_pixels: int) -> None:
        self.settled: Bools = np.zeros(n_pixels, dtype=bool)
        self.large: Bools = np.ones(n_pixels, dtype=bool)
        self._odd, self._move, self._change = False, np.zeros(n_pixels), np.zeros(n_pixels)

    def after(self, s2: Floats, new: Floats, change: Floats) -> Floats:
        """Return where s2 goes from its old value, given the improved one and by how many standard errors it moved."""
        expected = change * np.minimum(change / np.maximum(self._change, PRECISION), 1.0)  # of the next move
        move, before = new - s2, self._move
        if self._odd:
            factor = np.divide(move, before, out=np.zeros(len(move)), where=before != 0.0)
            factor = np.clip(factor, -_LARGEST_FACTOR, _LARGEST_FACTOR)
            new = np.maximum(new + move * factor / (1.0 - factor), 0.0)
            expected *= _EXTRAPOLATED
        new = np.where(self.settled, s2, new)
        self._move, self._change, self._odd = move, change, not self._odd
        self.settled = self.settled | (expected < PRECISION)
        self.large = (change > _STILL) & ~self.settled
        return new
