"""Pixels that are masked or hold what no spectrum has lose their weight; and what is left: signal-to-noise ratio."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apogee_labels.core.arrays import Bools, Floats, Indices, Singles

_STRIDE, _REACH = 16, 30  # of the sample, and how many of it on either side of its median: three standard deviations

HUGE = 1e6
"""Normalised flux that no star has: it counts as not a number, for sums of its squares could be infinite."""

GREATEST_IVAR = 1e16
"""Inverse variance above which a pixel counts as impossible: an error of 1e-8 of the continuum, which no spectrum has.
Beside a larger one, sums in double precision lose what the other pixels tell."""


def unmasked(flux: ArrayLike, ivar: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return flux and inverse variance as plain arrays; where either is masked the inverse variance is 0."""
    if not (np.ma.isMaskedArray(flux) or np.ma.isMaskedArray(ivar)):
        return np.asarray(flux), np.asarray(ivar)
    fluxes: np.ma.MaskedArray = np.ma.asarray(flux)
    ivars: np.ma.MaskedArray = np.ma.asarray(ivar)
    hidden = np.ma.getmaskarray(fluxes) | np.ma.getmaskarray(ivars)
    return fluxes.data, np.where(hidden, 0.0, ivars.data)


class UsablePixels(NamedTuple):
    """Spectra at a model's informative pixels: views of buffers, overwritten by the next spectra, or the spectra themselves.

    They are not to be written to.
    """

    flux: Floats
    """Finite, shape (n, p)."""
    ivar: Floats
    """Finite, 0 or more, shape (n, p)."""
    invalid: Bools
    """Which spectra had pixels with weight that could not be used, shape (n,)."""


class PixelSelection:
    """Gathers a model's informative pixels from spectra, a few spectra at a time, into the same memory.

    Parameters
    ----------
    informative
        Which pixels the model can use, shape (P,).
    rows
        The most spectra that are gathered at a time.
    """

    def __init__(self, informative: Bools, rows: int) -> None:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], informative, [False]])))
        self._runs = [slice(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
        self._buffers = np.empty((2, rows, int(np.count_nonzero(informative))))

    def gather(self, flux: Floats, ivar: Floats) -> UsablePixels:
        """Take the model's pixels of spectra (n, P); a pixel that cannot be used gets flux 1 and inverse variance 0."""
        whole = len(self._runs) == 1 and self._runs[0] == slice(0, flux.shape[1])
        if whole and _possible(flux, ivar):
            return UsablePixels(flux, ivar, np.zeros(len(flux), dtype=bool))
        fluxes, ivars = self._buffers[:, : len(flux)]
        start = 0
        for run in self._runs:
            stop = start + run.stop - run.start
            fluxes[:, start:stop], ivars[:, start:stop] = flux[:, run], ivar[:, run]
            start = stop
        return UsablePixels(fluxes, ivars, mask_impossible(fluxes, ivars))


def mask_impossible(flux: Floats, ivar: Floats) -> Bools:
    """Make what is not usable harmless, in place: flux 1 and inverse variance 0.

    Parameters
    ----------
    flux, ivar
        Shape (n, p), to be written to.  Impossible is a flux that is no number or beyond ``HUGE``, and an inverse
        variance that is no number, negative or above ``GREATEST_IVAR``.

    Returns
    -------
    ndarray
        Which spectra had impossible pixels whose inverse variance was not 0, shape (n,).
    """
    invalid = np.zeros(len(flux), dtype=bool)
    if _possible(flux, ivar):
        return invalid
    good = (np.abs(flux) <= HUGE) & (ivar >= 0.0) & (ivar <= GREATEST_IVAR)
    invalid[...] = (~good & (ivar != 0.0)).any(axis=1)
    flux[~good], ivar[~good] = 1.0, 0.0
    return invalid


def _possible(flux: Floats, ivar: Floats) -> bool:
    """Whether no pixel is impossible."""
    if not flux.size:
        return True
    return bool(ivar.min() >= 0.0 and ivar.max() <= GREATEST_IVAR and flux.min() >= -HUGE and flux.max() <= HUGE)


def count_known(known: Bools) -> Indices:
    """How many pixels of each row are known, shape (n,); numpy's own count along an axis takes ten times as long."""
    return np.array([np.count_nonzero(row) for row in known], dtype=np.intp)


def signal_to_noise(flux: Floats, ivar: Floats) -> Floats:
    """Median of flux * sqrt(ivar) over the pixels with weight, shape (n,); NaN without any.  Good to single precision."""
    known = ivar != 0.0
    count = count_known(known)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that no spectrum has
        ratio = np.sqrt(ivar, dtype=np.float32, casting="same_kind")
        ratio *= flux
    ratio[~known] = np.inf
    sample = np.sort(ratio[:, ::_STRIDE], axis=1)
    result = np.full(len(flux), np.nan)
    for row in np.flatnonzero(count):
        result[row] = _lower_median(ratio[row], sample[row], int(count[row]))
    return result


def _lower_median(values: Singles, sample: Singles, count: int) -> float:
    """Median of the lowest `count` of the values.

    The ordered sample of them tells between which values it is, so that only those few have to be put in order.
    """
    first, second = (count - 1) // 2, count // 2
    place = first // _STRIDE
    low, high = sample[max(place - _REACH, 0)], sample[min(place + _REACH, len(sample) - 1)]
    below = int(np.count_nonzero(values < low))
    between = values.compress((values >= low) & (values <= high))
    if not below <= first <= second < below + len(between):  # an unlucky sample, or few values
        below, between = 0, values
    between.partition(first - below)
    lower = between[first - below]
    upper = lower if first == second else between[second - below :].min()
    return 0.5 * (float(lower) + float(upper))
