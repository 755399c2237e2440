"""Work that was done again must give what it gave before: the same identity promises the same product.

Where it does not, the method changed and its version did not, and the catalogue holds values of two methods under one
identity.  Nothing is overwritten in the catalogue; a warning says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apogee_labels.catalog.records import ResultRow
from apogee_labels.core.identity import short

if TYPE_CHECKING:
    from apogee_labels.cannon.io.normalized import NormalizedSpectrum

log = logging.getLogger(__name__)

ROUNDING = 0.01
"""Share of its error by which a value may differ: single precision, and another order of sums, are far below it."""


def compare_spectra(identity: str, before: NormalizedSpectrum, after: NormalizedSpectrum) -> bool:
    """Whether a spectrum that was normalised again is the one before; a warning says by how much it is not."""
    if before.flux.shape != after.flux.shape or ((before.ivar > 0) != (after.ivar > 0)).any():
        return _warn(
            "normalisation",
            identity,
            "other rows or pixels are known",
            "include/apogee_labels/cannon/continuum/normalization.py",
        )
    error = 1 / np.sqrt(np.where(after.ivar > 0, after.ivar, 1))
    worst = _worst(before.flux, after.flux, error)
    return worst <= ROUNDING or _warn(
        "normalisation",
        identity,
        f"its flux differs by {worst:.2g} of its error",
        "include/apogee_labels/cannon/continuum/normalization.py",
    )


def compare_results(identity: str, before: Sequence[ResultRow], after: Sequence[ResultRow]) -> bool:
    """Whether labels that were inferred again are those on record; a warning says by how much they are not."""
    names = [[(row.row, label.name) for row in rows for label in row.labels] for rows in (before, after)]
    if names[0] != names[1]:
        return _warn(
            "result", identity, "it has other rows or labels", "include/apogee_labels/cannon/inference/inference.py"
        )
    old, new = (
        np.array([label[1:] for row in rows for label in row.labels]).reshape(-1, 3) for rows in (before, after)
    )
    worst = max(_worst(old[:, 0], new[:, 0], old[:, 2]), _worst(old[:, 1], new[:, 1], old[:, 1]))
    return worst <= ROUNDING or _warn(
        "result",
        identity,
        f"a label or its error differs by {worst:.2g} of the error",
        "include/apogee_labels/cannon/inference/inference.py",
    )


def _worst(before: ArrayLike, after: ArrayLike, error: ArrayLike) -> float:
    """Return the largest difference in units of the error; what is not known must be so in both."""
    old, new, scale = (np.asarray(values, dtype=np.float64) for values in (before, after, error))
    if (np.isnan(old) != np.isnan(new)).any():
        return np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[Any] = np.where(old == new, 0.0, np.abs(new - old) / scale)
    return float(np.nanmax(ratio, initial=0.0))


def _warn(kind: str, identity: str, difference: str, module: str) -> bool:
    log.warning(
        "%s %s was made again, and %s: the method changed and its version did not. What is on record stays; raise "
        "METHOD_VERSION in %s (or READER_VERSION in include/apogee_labels/apogee/spectra/apstar.py), and all is made "
        "anew under its own identity.",
        kind, short(identity), difference, module,
    )  # fmt: skip
    return False
