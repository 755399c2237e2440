"""The intrinsic scatter of a pixel: the variance that the model leaves unexplained beyond the noise.

With W = 1 / (sigma^2 + s2), residuals r and, for the restricted likelihood, the leverages h = v' C v of the stars (C
the inverse normal matrix), the derivative of the objective by s2 is

    F(s2) = sum W - sum W^2 (r^2 + h).

Maximum likelihood (h = 0) takes the residuals of a fit for the errors and so finds too small a scatter when the terms
are many for the stars; the restricted likelihood (Patterson & Thompson 1971) accounts for the terms that were fitted.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_SLOPE, _LARGEST_SLOPE = 0.3, 3.0


class ScatterRule(StrEnum):
    """How the intrinsic scatter is estimated."""

    RESTRICTED = "restricted"  # restricted likelihood: unbiased by the number of terms
    LIKELIHOOD = "likelihood"  # maximum likelihood, as Ness et al. 2015 write it


def weights(ivar: Floats, s2: Floats, out: Floats | None = None) -> Floats:
    """Return 1 / (1 / ivar + s2), which is 0 where ivar is: shape (N, P) with s2 (P,)."""
    total = np.multiply(ivar, s2, out=out)
    total += 1.0
    return np.divide(ivar, total, out=total)


def newton_step(weight: Floats, square: Floats, spare: Floats) -> tuple[Floats, Floats]:
    """One step towards the root of F, for all pixels at once.

    The iteration is Newton's on sum W^2 (q - sigma^2) / sum W^2 - s2, with q = r^2 + h: the scatter that would follow
    if the weights were right already.  It is exact at once for equal errors, and cannot run away, where Newton on F
    itself does.

    Parameters
    ----------
    weight
        W, shape (N, P).
    square
        q = r^2 + h, shape (N, P).
    spare
        Working memory, shape (N, P); its content is lost.

    Returns
    -------
    step, information
        Shape (P,): what to add to s2, and sum W^2, twice the Fisher information about s2.
    """
    excess = np.multiply(weight, square, out=spare)
    excess -= 1.0
    excess *= weight
    first = excess.sum(axis=0)
    third = np.einsum("np,np->p", weight, excess)
    information = np.einsum("np,np->p", weight, weight)
    np.multiply(weight, weight, out=spare)
    cube = np.einsum("np,np->p", weight, spare)
    value = first / information
    slope = 1.0 - 2.0 * (value * cube - third) / information
    return value / np.clip(slope, _LEAST_SLOPE, _LARGEST_SLOPE), information
