"""k-fold validation of a training: what the engine's options gain for stars that a model has not seen.

Two options help or harm by the training set: the correction for the coefficients' noise
(:mod:`apogee_labels.cannon.noise.coefficient_noise`), which noisy training labels turn against the labels, and
latent components
(:mod:`apogee_labels.cannon.noise.latent`), likewise.  Every number of components is tried without and with the
correction.  The
correction is taken where errors fall and no label's rise; components where they gain, and no label loses.

The intrinsic scatter is that of all stars; the coefficients, their noise and the components are those of the others
than the fold.  Without components the others' normal matrices are those of all less those of the fold
(:mod:`apogee_labels.cannon.validation.fold_fits`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256

import numpy as np

from apogee_labels.cannon.inference.inference import Engine, Inference, Options
from apogee_labels.cannon.inference.quadratic_forms import FormBuilder
from apogee_labels.cannon.noise.empirical_errors import MAD, beyond_formal
from apogee_labels.cannon.noise.latent import Residuals
from apogee_labels.cannon.training.trainer import Fit, Trainer
from apogee_labels.cannon.validation.validation import Trial, Validation
from apogee_labels.core.arrays import Bools, Floats, Indices

Step = Callable[[], None]

CANDIDATES = (4, 8)
"""Numbers of latent components that are tried, beside none."""

FOLDS = 4

STARS_PER_TERM = 10
"""Stars for each coefficient of a pixel that a fit with latent components must have, to be tried at all."""

LEAST_STARS_PER_TERM = 3
"""Stars for each coefficient that a fold's model must have; a smaller training set is not validated."""

LEAST_GAIN, LARGEST_LOSS = 0.05, 0.02
"""Share by which components must lower the labels' errors in the mean, and may raise the error of any one label."""

CLIP = 3.0
"""Robust standard deviations beyond which an error counts no more: a few stars that no model describes do not decide."""


def candidates(n_stars: int, n_terms: int) -> tuple[int, ...]:
    """Numbers of components, none included, for which the folds of so many stars are enough."""
    least = left_in_fold(n_stars)
    return (0, *(count for count in CANDIDATES if least >= STARS_PER_TERM * (n_terms + count)))


def left_in_fold(n_stars: int) -> int:
    """Stars on which the model of the largest fold is trained."""
    return n_stars - -(-n_stars // FOLDS)


def deal(labels: Floats) -> Indices:
    """Fold of every star, shape (N,): stars of equal labels together, so that no star is on both sides.

    They are dealt by a digest of their labels: at random, but the same whatever the order of the rows and of the labels.
    """
    keys = [sha256(np.sort(row).tobytes()).digest() for row in labels]
    place = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.array([place[key] % FOLDS for key in keys], dtype=np.intp)


def worth_validating(n_stars: int, n_terms: int) -> bool:
    """Whether the folds of so many stars determine the terms well enough to say anything."""
    return left_in_fold(n_stars) >= LEAST_STARS_PER_TERM * n_terms


def cross_validate(
    trainer: Trainer, fits: Mapping[int, Fit], common: Residuals | None = None, *, step: Step | None = None
) -> Validation:
    """Validate a training, and choose the options that help.

    Parameters
    ----------
    trainer
        Trains on some of its stars.
    fits
        Of all the stars, by the number of latent components, in ascending order; the first is what others have to beat.
    common
        Residuals of all the stars; needed when there are other numbers than 0.
    step
        Called when a fold is done.
    """
    fold = deal(trainer.training_set.labels)
    held_out = {(count, way): _HeldOut(trainer.training_set.labels) for count in fits for way in _ways(fits[count])}
    plain = trainer.fits_without(fold, fits[0]) if 0 in fits else None
    for number in range(FOLDS):
        held = fold == number
        if held.any():
            for count, fit in _of_fold(trainer, fits, None if plain is None else next(plain), ~held, common):
                _infer(trainer, fit, held, {way: held_out[count, way] for way in _ways(fits[count])})
        if step is not None:
            step()
    return _validation(fold, held_out)


def _ways(fit: Fit) -> tuple[bool, ...]:
    return (False, True) if fit.noise is not None else (False,)


def _of_fold(
    trainer: Trainer, fits: Mapping[int, Fit], plain: Fit | None, left: Bools, common: Residuals | None
) -> Iterator[tuple[int, Fit]]:
    """The models of the stars that are left, at the scatter of all, by the number of their components."""
    if plain is not None:
        yield 0, plain
    scores = None if common is None else trainer.scores(common, max(fits), left)
    for count in fits:
        if count and scores is not None:
            yield count, trainer.fit(scores=scores[:, :count], stars=left, s2=fits[count].s2)


def _infer(trainer: Trainer, fit: Fit, held: Bools, into: Mapping[bool, _HeldOut]) -> None:
    """Labels of the stars held back, by the model of the others."""
    training_set = trainer.training_set
    if not np.isfinite(fit.s2).any():
        return
    builder = FormBuilder(
        training_set.wavelength, fit.theta, fit.s2, loadings=fit.loadings, noise=fit.noise, marginalize=True
    )
    engine = Engine(trainer.vectorizer, training_set.labels[~held], builder)
    flux, ivar = training_set.flux[held], training_set.ivar[held]
    nothing = np.zeros(len(flux), dtype=np.int64)
    for way, found in zip(into, engine.infer_ways(flux, ivar, nothing, Options(), tuple(into)), strict=True):
        into[way].take(held, found)


class _HeldOut:
    """What is inferred for stars held back, fold by fold, under one setting."""

    def __init__(self, truth: Floats) -> None:
        count, n_labels = truth.shape
        self.truth, self.labels = truth, np.full(truth.shape, np.nan)
        self.covariance = np.full((count, n_labels, n_labels), np.nan)
        self.chi_sq, self.unexplained, self.snr = (np.full(count, np.nan) for _ in range(3))
        self.n_freedom, self.flags = np.zeros(count, dtype=np.intp), np.zeros(count, dtype=np.int64)

    @property
    def residuals(self) -> Floats:
        return self.labels - self.truth

    def take(self, rows: Bools, found: Inference) -> None:
        for name in ("labels", "covariance", "chi_sq", "unexplained", "snr", "n_freedom", "flags"):
            getattr(self, name)[rows] = getattr(found, name)


def _validation(fold: Indices, held_out: Mapping[tuple[int, bool], _HeldOut]) -> Validation:
    errors = {setting: found.residuals for setting, found in held_out.items()}
    count, corrected, trials = choose(errors)
    chosen = held_out[count, corrected]
    ways = [held_out.get((count, way), chosen) for way in (False, True)]
    return Validation(
        fold=fold,
        **vars(chosen),
        beyond=np.stack([beyond_formal(way.residuals, way.covariance) for way in ways]),
        corrected=corrected,
        n_components=count,
        trials=trials,
    )


def choose(errors: Mapping[tuple[int, bool], Floats]) -> tuple[int, bool, tuple[Trial, ...]]:
    """Choose the number of components, and whether the coefficients' noise is corrected for.

    Components are taken when the geometric mean of the labels' errors falls by more than ``LEAST_GAIN``, most of all, and
    no label loses more than ``LARGEST_LOSS``.

    Parameters
    ----------
    errors
        Labels less true labels of stars held back, shape (N, L), by the number of components, ascending, and whether
        they are corrected.
    """
    counts = list(dict.fromkeys(count for count, _ in errors))
    usable = np.isfinite(np.stack(list(errors.values()))).all(axis=(0, 2))
    if not usable.any():
        return counts[0], False, ()
    good = {setting: found[usable] for setting, found in errors.items()}
    ways = {count: (count, True) in good and _helps(good[count, False], good[count, True]) for count in counts}
    size = {setting: np.maximum(np.abs(found).mean(axis=0), np.finfo(float).tiny) for setting, found in good.items()}
    base = size[counts[0], False]
    trials = tuple(Trial(*setting, tuple(float(value) for value in size[setting] / base)) for setting in good)
    count = _best({count: size[count, ways[count]] for count in counts})
    return count, ways[count], trials


def _helps(without: Floats, corrected: Floats) -> bool:
    """Whether the correction lowers the squared errors by more than chance, and raises those of no label by more.

    The two are compared star by star, which sees a small harm beneath large errors of the training labels.  A gain
    within chance does not count: a fold's model has fewer stars than that of all, and gains more.
    """
    width = np.maximum(MAD * np.median(np.abs(without), axis=0), np.finfo(float).tiny)
    squares = [np.minimum((errors / width) ** 2, CLIP**2) for errors in (without, corrected)]
    change = squares[1] - squares[0]
    mean, chance = _mean_and_chance(change)
    gain, chance_of_gain = _mean_and_chance(-change.mean(axis=1))
    return bool(gain > chance_of_gain and (mean <= chance).all())


def _mean_and_chance(values: Floats) -> tuple[Floats, Floats]:
    """Mean over the stars, and its standard error."""
    return np.asarray(values.mean(axis=0)), np.asarray(values.std(axis=0) / np.sqrt(len(values)))


def _best(size: Mapping[int, Floats]) -> int:
    """The number of components whose errors are lowest, by the sizes of the labels' errors."""
    first = next(iter(size))
    best, most = first, LEAST_GAIN
    for count, errors in size.items():
        trial = Trial(count, False, tuple(errors / size[first]))
        if trial.gain > most and max(trial.ratio) <= 1.0 + LARGEST_LOSS:
            best, most = count, trial.gain
    return best
