"""What a user knows about the coefficients: where a label acts, and what sign or size a term may have.

Censoring (Casey et al. 2016): a label acts on chosen wavelengths only, so that the abundance of an element is read from
that element's lines, not from those that it happens to go along with in the training set; elsewhere the coefficients of all
terms that contain the label are 0.  Bounds: coefficients of a term stay in a range at every pixel, so that, say, more of an
element never means less absorption.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Bools, Floats, Indices

Censors = Mapping[str, Sequence[Sequence[float]]]
"""For a label, the wavelength ranges [low, high) in vacuum Angstrom on which it may act."""

Bounds = Mapping[str, tuple[float | None, float | None]]
"""For a term such as ``FE_H`` or ``TEFF*FE_H``, the least and the greatest coefficient (of scaled labels)."""


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


def censored_terms(vectorizer: PolynomialVectorizer, wavelength: Floats, censors: Censors | None) -> Bools | None:
    """Which terms each pixel may have, shape (P, T); None where nothing is censored.

    Raises
    ------
    ValueError
        A label is not one of the model, or a range is none.
    """
    if not censors:
        return None
    names = vectorizer.label_names
    unknown = sorted(set(censors) - set(names))
    if unknown:
        raise ValueError(f"censors: expected labels of {', '.join(names)}, got {', '.join(unknown)}.")
    acts = [_within(wavelength, name, censors[name]) if name in censors else np.ones(len(wavelength)) for name in names]
    return allowed_terms(np.stack(acts, axis=1).astype(bool), vectorizer.order)


def allowed_terms(acts: Bools, order: int) -> Bools:
    """Which terms each pixel may have, shape (P, T), from which labels act on it, shape (P, L): those of no other label."""
    terms = monomials(acts.shape[1], order)
    allowed = np.ones((len(acts), len(terms)), dtype=bool)
    for position, factors in enumerate(terms.factors):
        for label in set(factors):
            allowed[:, position] &= acts[:, label]
    return allowed


def term_bounds(vectorizer: PolynomialVectorizer, bounds: Bounds | None) -> Floats | None:
    """Least and greatest coefficient of every term, shape (T, 2), infinite where there is no bound; None without any.

    Raises
    ------
    ValueError
        A term is not one of the model, or its bounds are in the wrong order.
    """
    if not bounds:
        return None
    result = np.tile([-np.inf, np.inf], (vectorizer.n_terms, 1))
    for term, (low, high) in bounds.items():
        least, greatest = -np.inf if low is None else float(low), np.inf if high is None else float(high)
        if not (least <= greatest and least < np.inf and greatest > -np.inf):
            raise ValueError(
                f"bounds: expected the least coefficient of {term} before the greatest, got {low}, {high}."
            )
        result[_position(vectorizer, term)] = least, greatest
    return result


def _within(wavelength: Floats, label: str, ranges: Sequence[Sequence[float]]) -> Bools:
    edges = np.asarray(ranges, dtype=np.float64).reshape(-1, 2) if len(ranges) else np.empty((0, 2))
    if not (edges[:, 0] < edges[:, 1]).all():
        raise ValueError(f"censors: expected ranges (low, high) in Angstrom for {label}, got {ranges}.")
    return np.asarray(((wavelength[:, None] >= edges[:, 0]) & (wavelength[:, None] < edges[:, 1])).any(axis=1))


def _position(vectorizer: PolynomialVectorizer, term: str) -> int:
    names = () if term == "1" else tuple(name.strip() for name in term.split("*"))
    unknown = [name for name in names if name not in vectorizer.label_names]
    if unknown or len(names) > vectorizer.order:
        raise ValueError(f"bounds: expected terms such as {', '.join(vectorizer.terms[:5])}, got {term}.")
    return vectorizer.basis.index(tuple(vectorizer.label_names.index(name) for name in names))


def _check_shape(name: str, values: NDArray[np.generic], expected: tuple[int, ...]) -> None:
    if np.shape(values) != expected:
        raise ValueError(f"{name}: expected shape {expected}, got {np.shape(values)}.")
