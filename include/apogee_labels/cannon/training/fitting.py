"""From a training set to the numbers of a model: fits with as many latent components as are asked for, or as help."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import ArrayLike

from apogee_labels.cannon.io.model_parts import HIGHEST_ORDER
from apogee_labels.cannon.training.checks import check_labels, check_measured, check_terms
from apogee_labels.cannon.training.coefficients import METHOD_VERSION, STARS_PER_TERM
from apogee_labels.cannon.training.restrictions import Bounds, Censors
from apogee_labels.cannon.training.trainer import Fit, Trainer
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.validation.cross_validation import (
    FOLDS,
    candidates,
    cross_validate,
    left_in_fold,
    worth_validating,
)
from apogee_labels.cannon.validation.validation import Validation
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Floats
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_bytes
from apogee_labels.core.progress import PassProgress, ProgressCallback

LEAST_HELD_OUT = 20
"""Stars held back that must get labels; a validation of fewer says nothing."""

Values = dict[str, str | int | float | bool]


def prepared(
    training_set: TrainingSet, label_names: Sequence[str] | None, order: int
) -> tuple[TrainingSet, PolynomialVectorizer]:
    """Return the stars with a spectrum and the labels that are asked for, checked, and the terms of these labels.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: an unknown label, labels that are constant or collinear, or too few stars for the terms.
    ValueError
        The order is out of its range.
    """
    if order > HIGHEST_ORDER:
        raise ValueError(f"order: expected 1 to {HIGHEST_ORDER}, got {order}.")
    asked = training_set if label_names is None else training_set.select(label_names)
    check_measured(asked.labels, asked.label_names)
    chosen = asked.with_spectra()
    check_labels(chosen.labels, chosen.label_names)
    vectorizer = PolynomialVectorizer.fit(chosen.label_names, chosen.labels, order)
    check_terms(vectorizer, asked.labels, np.asarray(asked.ivar.any(axis=1)))
    return chosen, vectorizer


def train_and_validate(
    trainer: Trainer, latent_components: int | None, *, validate: bool, progress: ProgressCallback | None = None
) -> tuple[Fit, Validation | None]:
    """Fit a training set, choose the options by validation when that is asked for and possible.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: no pixel could be trained.
    ValueError
        The number of latent components is out of its range, or does not go together with the penalty.
    """
    n_stars, n_terms = len(trainer.training_set), trainer.vectorizer.n_terms
    validate = validate and worth_validating(n_stars, n_terms)
    counts = _counts(trainer, latent_components, validate=validate)
    n_fits = len({0, *counts})
    passes = PassProgress(progress, len(trainer.training_set.wavelength), n_fits + validate * FOLDS)
    plain = trainer.fit(progress=passes.within)
    if not np.isfinite(plain.s2).any():
        message = "no pixel has enough stars with weight for the terms of the model: check ivar, or add stars."
        raise BadInputError(Reason.BAD_TRAINING_SET, message)
    fits, common = {0: plain}, None
    if any(counts):
        common = trainer.residuals(plain)
        scores = trainer.scores(common, max(counts))
        fits |= {count: trainer.fit(scores=scores[:, :count], progress=passes.within) for count in counts if count}
    tried = {count: fits[count] for count in counts}
    if not validate:
        return tried[counts[0]], None
    validation = cross_validate(trainer, tried, common, step=passes.next)
    if np.count_nonzero(np.isfinite(validation.labels).all(axis=1)) < LEAST_HELD_OUT:
        return tried[counts[0]], None
    return tried[validation.n_components], validation


def provenance(
    trainer: Trainer, fit: Fit, validation: Validation | None, *, censors: Censors | None, bounds: Bounds | None
) -> Values:
    """What made a model: training set, parameters, versions, and what validation found."""
    training_set = trainer.training_set
    values: Values = {
        "training_set": training_set.digest,
        "label_names": ",".join(training_set.label_names),
        "order": trainer.vectorizer.order,
        **_given("regularization", trainer.regularization),
        "scatter_rule": "given" if trainer.s2 is not None else str(trainer.rule),
        "censors": json.dumps({name: np.asarray(ranges).tolist() for name, ranges in (censors or {}).items()}),
        "bounds": json.dumps({name: list(pair) for name, pair in (bounds or {}).items()}),
        "latent_components": fit.loadings.shape[1],
        "n_stars": len(training_set),
        "n_pixels": len(training_set.wavelength),
        "n_trained_pixels": int(np.isfinite(fit.s2).sum()),
        "stars_per_pixel": _stars_per_pixel(trainer, fit),
        "method_version": METHOD_VERSION,
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "python": platform.python_version(),
    }
    if "normalization" in training_set.provenance:
        values["normalization"] = training_set.provenance["normalization"]
    if trainer.s2 is not None:
        values["scatter"] = digest_bytes(trainer.s2.tobytes())
    return values | ({} if validation is None else validation.summary(training_set.label_names))


def check_regularization(strength: float | ArrayLike, n_pixels: int) -> float | Floats:
    """Return L1 strengths that can be used: one, or shape (P,).

    Raises
    ------
    ValueError
        They are negative, not finite, or of another shape.
    """
    values = np.asarray(strength, dtype=np.float64)
    if values.shape not in ((), (n_pixels,)):
        raise ValueError(f"regularization: expected one number or shape ({n_pixels},), got shape {values.shape}.")
    if not (np.isfinite(values) & (values >= 0.0)).all():
        raise ValueError(f"regularization: expected finite numbers, 0 or more, got {values.min()} to {values.max()}.")
    return values if values.shape else float(values)


def check_scatter(scatter: ArrayLike | None, n_pixels: int) -> Floats | None:
    """Return the intrinsic variance of a scatter that is given, shape (P,).

    Raises
    ------
    ValueError
        It is negative, not a number, or of another shape; infinite leaves a pixel out.
    """
    if scatter is None:
        return None
    values = np.asarray(scatter, dtype=np.float64)
    if values.shape != (n_pixels,) or not (values >= 0.0).all():
        raise ValueError(f"scatter: expected shape ({n_pixels},) and 0 or more everywhere, got shape {values.shape}.")
    return np.asarray(values**2)


def _stars_per_pixel(trainer: Trainer, fit: Fit) -> int:
    """Median number of stars with weight over the pixels that were trained."""
    return int(np.median(np.count_nonzero(trainer.training_set.ivar[:, np.isfinite(fit.s2)], axis=0)))


def _given(name: str, values: float | Floats) -> Values:
    if isinstance(values, float):
        return {name: values}
    return {name: "a number a pixel", f"{name}_digest": digest_bytes(values.tobytes())}


def _counts(trainer: Trainer, asked: int | None, *, validate: bool) -> tuple[int, ...]:
    """Numbers of latent components to fit, ascending."""
    n_stars, n_terms = len(trainer.training_set), trainer.vectorizer.n_terms
    free = trainer.s2 is None and trainer.bounds is None and not np.any(np.asarray(trainer.regularization) > 0.0)
    if asked is None:
        return candidates(n_stars, n_terms) if validate and free else (0,)
    most = max(left_in_fold(n_stars) // STARS_PER_TERM - n_terms, 0)
    if not 0 <= asked <= most:
        raise ValueError(f"latent_components: expected 0 to {most} with {n_stars} stars, got {asked}.")
    if asked and not free:
        raise ValueError(
            "latent_components: expected None or 0 together with regularization, scatter or bounds, which are for labels' "
            "terms."
        )
    return (asked,)
