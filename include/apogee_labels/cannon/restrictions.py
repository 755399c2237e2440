"""What a user knows about the coefficients: where a label acts, and what sign or size a term may have.

Censoring (:mod:`apogee_labels.cannon.training.censors`): a label acts on chosen wavelengths only.  Bounds:
coefficients of a term stay in
a range at every pixel, so that, say, more of an element never means less absorption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from apogee_labels.cannon.training.censors import allowed_terms
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Bools, Floats

Censors = Mapping[str, Sequence[Sequence[float]]]
"""For a label, the wavelength ranges [low, high) in vacuum Angstrom on which it may act."""

Bounds = Mapping[str, tuple[float | None, float | None]]
"""For a term such as ``FE_H`` or ``TEFF*FE_H``, the least and the greatest coefficient (of scaled labels)."""


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
