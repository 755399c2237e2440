"""Covariances of the coefficients, compressed as they come: the full ones of 171 terms would need gigabytes.

A sample of the pixels gives functionals: the leading singular vectors F of its covariances, each of unit norm.  Of every
pixel's covariance C_p only the products a_p = F C_p are kept, its amplitudes.  The modes M are then those that come
nearest to all covariances, ``sum_p |C_p - a_p M|^2 / |a_p|^2``, of which two sums need to be known::

    M = inv(sum_p u_p u_p') sum_p u_p C_p / |a_p|,     u_p = a_p / |a_p|.

What chance did to the sample (which stars were masked in its pixels) is thus averaged over all pixels, and sums of
covariances are kept far better than the sample alone would have them.
"""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.core.arrays import Bools, Floats, Indices

MODES = 4
"""Modes that are kept: sums over pixels are then right to a few thousandths."""

SAMPLE = 32
"""Pixels whose covariances give the functionals: 16 serve as well as 128, where they are like the others."""

_PIECE = 64  # pixels whose covariances are made together
_SMALL = 1e-12


def sample_of(able: Indices) -> Indices:
    """An even sample of the pixels that can be trained."""
    return able[np.linspace(0, len(able) - 1, min(SAMPLE, len(able))).round().astype(np.intp)]


def pieces(pixels: Indices) -> list[Indices]:
    """The pixels, as many at a time as may have their covariances in memory."""
    return [pixels[start : start + _PIECE] for start in range(0, len(pixels), _PIECE)]


class Modes:
    """Finds the modes that come nearest to covariances of T terms, whose amplitudes are given."""

    def __init__(self, n_terms: int) -> None:
        self._squares, self._sums = np.zeros((MODES, MODES)), np.zeros((MODES, n_terms, n_terms))

    def add(self, amplitudes: Floats, covariance: Floats, terms: Bools) -> None:
        """Add p pixels.

        Parameters
        ----------
        amplitudes
            Shape (p, R).
        covariance
            Shape (p, t, t), with t at least the number of `terms`; what comes after these is left out.
        terms
            Which of all terms they are, shape (T,).
        """
        size = np.linalg.norm(amplitudes, axis=1, keepdims=True)
        unit = np.divide(amplitudes, size, out=np.zeros_like(amplitudes), where=size > 0.0)
        self._squares += unit.T @ unit
        unit = np.divide(unit, size, out=unit, where=size > 0.0)
        self._sums[_place(terms)] += np.tensordot(unit.T, _of_labels(covariance, terms), axes=1)

    def modes(self) -> Floats:
        """The modes, shape (R, T, T); 0 where the pixels say nothing about one."""
        inverse = np.linalg.pinv(self._squares, rcond=_SMALL, hermitian=True)
        return np.tensordot(inverse, self._sums, axes=1)


class NoiseModes:
    """Compresses the covariances of a few pixels after the other.

    Parameters
    ----------
    sample
        Covariances of some pixels, shape (m, T, T).
    n_pixels
        Number of all pixels P.
    """

    def __init__(self, sample: Floats, n_pixels: int) -> None:
        n_terms = sample.shape[1]
        rows = sample.reshape(len(sample), n_terms**2)
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
        leading = np.linalg.svd(rows, full_matrices=False)[2][:MODES]
        self._functionals = np.zeros((MODES, n_terms, n_terms))
        self._functionals[: len(leading)] = leading.reshape(-1, n_terms, n_terms)
        self._amplitudes, self._modes = np.zeros((n_pixels, MODES)), Modes(n_terms)

    def add(self, pixels: Indices, covariance: Floats, terms: Bools) -> None:
        """Keep the covariances of these pixels, shape (p,); the others are as in :meth:`Modes.add`."""
        functionals = self._functionals[_place(terms)]
        found = np.tensordot(_of_labels(covariance, terms), functionals, axes=((1, 2), (1, 2)))
        self._amplitudes[pixels] = found
        self._modes.add(found, covariance, terms)

    def noise(self) -> CoefficientNoise:
        """The noise of all pixels; those that never came have none."""
        return CoefficientNoise(self._amplitudes, self._modes.modes())


def _place(terms: Bools) -> tuple[Indices, ...]:
    return np.ix_(np.arange(MODES), np.flatnonzero(terms), np.flatnonzero(terms))


def _of_labels(covariance: Floats, terms: Bools) -> Floats:
    count = int(np.count_nonzero(terms))
    return covariance[:, :count, :count]
