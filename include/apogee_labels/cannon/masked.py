"""Masked arrays of numpy: a pixel that is masked is one without information."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unmasked(flux: ArrayLike, ivar: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return flux and inverse variance as plain arrays; where either is masked the inverse variance is 0."""
    if not (np.ma.isMaskedArray(flux) or np.ma.isMaskedArray(ivar)):
        return np.asarray(flux), np.asarray(ivar)
    fluxes: np.ma.MaskedArray = np.ma.asarray(flux)
    ivars: np.ma.MaskedArray = np.ma.asarray(ivar)
    hidden = np.ma.getmaskarray(fluxes) | np.ma.getmaskarray(ivars)
    return fluxes.data, np.where(hidden, 0.0, ivars.data)
