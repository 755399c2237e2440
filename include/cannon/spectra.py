"""The pixels of spectra that a model can use, made safe to compute with, and their signal-to-noise ratio."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class UsablePixels(NamedTuple):
    """Spectra at a model's informative pixels: views of buffers, overwritten by the next spectra."""

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
        fluxes, ivars = self._buffers[:, : len(flux)]
        start = 0
        for run in self._runs:
            stop = start + run.stop - run.start
            fluxes[:, start:stop], ivars[:, start:stop] = flux[:, run], ivar[:, run]
            start = stop
        return UsablePixels(fluxes, ivars, _mend(fluxes, ivars))


def _mend(flux: Floats, ivar: Floats) -> Bools:
    """Make what is not usable harmless, in place; returns the rows where it had weight."""
    invalid = np.zeros(len(flux), dtype=bool)
    if not flux.size:
        return invalid
    with np.errstate(invalid="ignore"):  # infinities of both signs in a sum
        if ivar.min() >= 0.0 and ivar.max() < np.inf and np.isfinite(flux.sum()):
            return invalid
    good = np.isfinite(flux) & np.isfinite(ivar) & (ivar >= 0.0)
    invalid[...] = (~good & (ivar != 0.0)).any(axis=1)
    flux[~good], ivar[~good] = 1.0, 0.0
    return invalid


def signal_to_noise(flux: Floats, ivar: Floats) -> Floats:
    """Median of flux * sqrt(ivar) over the pixels with weight, shape (n,); NaN without any.  Good to single precision."""
    count = np.count_nonzero(ivar, axis=1)
    ratio = (flux * np.sqrt(ivar)).astype(np.float32)
    ratio[ivar == 0.0] = np.inf
    result = np.full(len(flux), np.nan)
    for row in np.flatnonzero(count):
        result[row] = _lower_median(ratio[row], int(count[row]))
    return result


def _lower_median(values: NDArray[np.float32], count: int) -> float:
    """Median of the lowest `count` of the values, which are put in another order."""
    middle = (count - 1) // 2
    values.partition(middle)
    upper = values[middle] if count % 2 else values[middle + 1 :].min()
    return 0.5 * (float(values[middle]) + float(upper))
