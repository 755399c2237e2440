"""Whether a training set holds together: each check names what is wrong and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apogee_labels.cannon.bad_pixels import GREATEST_IVAR, HUGE
from apogee_labels.cannon.vectorizer import PERCENTILES, PolynomialVectorizer
from apogee_labels.core.arrays import Bools, Floats
from apogee_labels.core.errors import BadInputError, Reason

CONDITION = 3e4
"""Largest ratio of the singular values of the terms (columns of unit length) that still counts as determined: normal
matrices square it, and coefficients are to be right to 1e-8."""

LONGEST_NAME = 40
"""Characters of a label's name: it becomes part of FITS keywords and of columns."""

UNKNOWN = -999.0
"""A label of this value or less stands for one that is not known."""

FARTHEST = 20.0
"""Distance of a label from the median, in units of the central 95 % of the stars, beyond which it is no measurement."""


def check_names(names: Sequence[str]) -> None:
    """Label names: at least one, not empty, all different."""
    if not names or not all(isinstance(name, str) and name == name.strip() and name.isascii() for name in names):
        raise _bad(f"label names: expected one or more of plain characters without blanks around, got {list(names)}.")
    odd = [name for name in names if not name or not name.isprintable() or len(name) > LONGEST_NAME or "*" in name]
    if odd:
        raise _bad(f"label names: expected 1 to {LONGEST_NAME} printable characters without '*', got {odd}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _bad(f"label names: expected all different, {', '.join(twice)} is there more than once.")


def check_shapes(wavelength: Floats, flux: Floats, ivar: Floats, labels: Floats, names: Sequence[str]) -> None:
    """Wavelength (P,), flux and ivar (N, P), labels (N, L)."""
    if wavelength.ndim != 1 or not len(wavelength):
        raise _bad(f"wavelength: expected shape (pixels,), got {wavelength.shape}.")
    if flux.ndim != 2 or flux.shape[1] != len(wavelength) or not len(flux):
        raise _bad(f"flux: expected shape (stars, {len(wavelength)}), as the wavelengths, got {flux.shape}.")
    if ivar.shape != flux.shape:
        raise _bad(f"ivar: expected the shape of the flux, {flux.shape}, got {ivar.shape}.")
    if labels.shape != (len(flux), len(names)):
        stars = f"{len(flux)} stars (as the flux has rows) and {len(names)} labels"
        raise _bad(f"labels: expected {stars}, got {labels.shape[0]} and {labels.shape[-1]}.")


def check_values(wavelength: Floats, flux: Floats, ivar: Floats, labels: Floats, names: Sequence[str]) -> None:
    """Everything finite (flux not huge, and only where it has weight), wavelengths ascending, no negative variances."""
    steps = np.diff(wavelength)
    if not np.isfinite(wavelength).all() or wavelength[0] <= 0 or not (steps > 0).all():
        pixel = int(np.argmin(np.append(steps > 0, True)))
        raise _bad(f"wavelength: expected finite ascending values in Angstrom; they are not at pixel {pixel}.")
    if not np.isfinite(labels).all():
        row, column = np.argwhere(~np.isfinite(labels))[0]
        raise _bad(f"labels: {names[column]} of row {row} is {labels[row, column]}; leave such stars out.")
    for row, (values, weights) in enumerate(zip(flux, ivar, strict=True)):  # by row: no temporary of the whole
        possible = (weights >= 0) & (weights <= GREATEST_IVAR)
        if not possible.all():
            pixel = int(np.argmin(possible))
            limits = f"0 or more and at most {GREATEST_IVAR:g}"
            raise _bad(f"ivar: expected {limits}, row {row} has {weights[pixel]} at pixel {pixel}.")
        if not (np.abs(values[weights > 0]) <= HUGE).all():
            pixel = int(np.argmax((weights > 0) & ~(np.abs(values) <= HUGE)))
            raise _bad(
                f"flux: row {row} is {values[pixel]} at pixel {pixel}, where ivar is not 0; set ivar to 0 there."
            )


def check_stars(flux: Floats, labels: Floats) -> None:
    """No star twice: the same labels and the same flux.  The same star observed twice is welcome."""
    seen: dict[bytes, list[int]] = {}
    for row, star in enumerate(labels):
        twins = seen.setdefault(star.tobytes(), [])
        for other in twins:
            if np.array_equal(flux[row], flux[other], equal_nan=True):
                raise _bad(f"rows {other} and {row} are the same star: equal labels and flux; leave one out.")
        twins.append(row)


def check_measured(labels: Floats, names: Sequence[str]) -> None:
    """No label that stands for one that is not known, such as -9999."""
    low, high = np.percentile(labels, PERCENTILES, axis=0)
    far = np.abs(labels - np.median(labels, axis=0)) > FARTHEST * np.maximum(high - low, np.finfo(float).tiny)
    wrong = (labels <= UNKNOWN) | (far & (high > low))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise _bad(
            f"labels: {names[column]} of row {row} is {labels[row, column]:g}, which no star of this set has; leave stars "
            f"whose labels are not known out ({int(wrong.any(axis=1).sum())} of {len(labels)})."
        )


def check_labels(labels: Floats, names: Sequence[str]) -> None:
    """Labels that vary, none a linear combination of the others."""
    low, high = np.percentile(labels, PERCENTILES, axis=0)
    for k, name in enumerate(names):
        if not high[k] - low[k] > 1e-12 * np.abs(labels[:, k]).max():
            raise _bad(
                f"label {name} is {np.median(labels[:, k]):g} for nearly all stars: leave it out of label_names."
            )
    standard = (labels - labels.mean(axis=0)) / labels.std(axis=0)
    _, values, directions = np.linalg.svd(standard, full_matrices=False)
    if len(values) < len(names) or values[-1] * CONDITION < values[0]:
        involved = [name for name, share in zip(names, np.abs(directions[-1]), strict=True) if share > 1e-3]
        raise _bad(f"labels {', '.join(involved)} are collinear over the {len(labels)} stars: leave one of them out.")


def check_terms(vectorizer: PolynomialVectorizer, labels: Floats, informative: Bools) -> None:
    """More stars with a spectrum than terms, and terms that the stars' labels tell apart."""
    count, terms = int(informative.sum()), vectorizer.n_terms
    if count <= terms:
        raise _bad(
            f"expected more stars with a spectrum than the {terms} terms of {len(vectorizer.label_names)} labels at order "
            f"{vectorizer.order}, got {count} of {len(labels)}: add stars, or use fewer labels or a lower order."
        )
    design = vectorizer.design(vectorizer.scaled(labels[informative]))
    _, values, directions = np.linalg.svd(design / np.linalg.norm(design, axis=0), full_matrices=False)
    if values[-1] * CONDITION < values[0]:
        names = [name for name, share in zip(vectorizer.terms, np.abs(directions[-1]), strict=True) if share > 1e-3]
        raise _bad(
            f"the terms {', '.join(names)} are not independent over the stars: use fewer labels or a lower order."
        )


def _bad(message: str) -> BadInputError:
    return BadInputError(Reason.BAD_TRAINING_SET, message)
