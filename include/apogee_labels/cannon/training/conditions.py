"""What the coefficients of each pixel must meet: a penalty, terms that a pixel may not have, and bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apogee_labels.core.arrays import Bools, Floats, Indices


class Conditions(NamedTuple):
    """What the coefficients of each pixel must meet."""

    strength: Floats
    """L1 strength Lambda, shape (P,)."""
    allowed: Bools | None
    """Which coefficients may differ from 0, shape (P, T)."""
    bounds: Floats | None
    """Least and greatest value of each coefficient, shape (T, 2)."""

    @classmethod
    def checked(
        cls, n_pixels: int, n_terms: int, regularization: float | Floats, allowed: Bools | None, bounds: Floats | None
    ) -> Conditions:
        """Return the conditions; a constant is always allowed.

        Raises
        ------
        ValueError
            A shape or a value is not what it must be.
        """
        if np.shape(regularization) not in ((), (n_pixels,)):
            raise ValueError(
                f"regularization: expected a number or shape ({n_pixels},), got {np.shape(regularization)}."
            )
        strength = np.full(n_pixels, regularization, dtype=np.float64)
        if not ((strength >= 0.0) & (strength < np.inf)).all():
            raise ValueError("regularization: expected finite numbers, 0 or more.")
        if allowed is not None:
            _check_shape("allowed", allowed, (n_pixels, n_terms))
            allowed = allowed.copy()
            allowed[:, 0] = True
        if bounds is not None:
            _check_shape("bounds", bounds, (n_terms, 2))
            if not (bounds[:, 0] <= bounds[:, 1]).all():
                raise ValueError("bounds: expected the least value of each coefficient before the greatest.")
            bounds = bounds if np.isfinite(bounds).any() else None
        return cls(strength, allowed, bounds)

    def with_scores(self, count: int) -> Conditions:
        """The conditions with `count` further terms, which are free of them but for the penalty."""
        allowed, bounds = self.allowed, self.bounds
        if allowed is not None:
            allowed = np.hstack([allowed, np.ones((len(allowed), count), dtype=bool)])
        if bounds is not None:
            bounds = np.vstack([bounds, np.tile([-np.inf, np.inf], (count, 1))])
        return Conditions(self.strength, allowed, bounds)

    @property
    def plain(self) -> bool:
        """Whether there is neither a penalty nor a bound."""
        return self.bounds is None and not self.strength.any()

    def of_terms(self, terms: Bools) -> Conditions:
        """Conditions of pixels that are allowed just these terms, shape (T,)."""
        return Conditions(self.strength, None, None if self.bounds is None else self.bounds[terms])

    def of_pixels(self, pixels: Indices) -> Conditions:
        """Conditions of some of the pixels."""
        return Conditions(self.strength[pixels], None if self.allowed is None else self.allowed[pixels], self.bounds)

    def groups(self, n_terms: int) -> Iterator[tuple[Indices, Bools]]:
        """Pixels that are allowed the same terms, and these terms, shape (T,)."""
        if self.allowed is None:
            yield np.arange(len(self.strength)), np.ones(n_terms, dtype=bool)
            return
        patterns, group = np.unique(self.allowed, axis=0, return_inverse=True)
        order = np.argsort(group, kind="stable")
        first = np.searchsorted(group[order], np.arange(len(patterns) + 1))
        for number, terms in enumerate(patterns):
            yield order[first[number] : first[number + 1]], terms


def _check_shape(name: str, values: NDArray[np.generic], expected: tuple[int, ...]) -> None:
    if np.shape(values) != expected:
        raise ValueError(f"{name}: expected shape {expected}, got {np.shape(values)}.")
