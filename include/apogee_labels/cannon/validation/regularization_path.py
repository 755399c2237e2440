"""The strength Lambda of the L1 penalty, chosen by the spectra of stars that the models have not seen.

As Casey et al. (2016) do, models are trained along a path of strengths and asked for the spectra of other stars at their
known labels: those of a validation set, or of the training set fold by fold.  The score of a strength is

    sum W (y - v.theta)^2 / number of data,   W = 1 / (sigma^2 + s2),

with the s2 of the unpenalised fit for all strengths: a scatter of its own would take up what too strong a penalty leaves
of the lines.  One normal matrix of a pixel serves the whole path, and that of the stars outside a fold is the matrix of
all less that of the fold (:mod:`apogee_labels.cannon.validation.fold_fits`).

Lambda stands against a sum over stars: between sets of the same kind it grows as the square root of their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from apogee_labels.cannon.inference.inference import Engine, Options
from apogee_labels.cannon.inference.quadratic_forms import FormBuilder
from apogee_labels.cannon.regridding import same_grid
from apogee_labels.cannon.threads import single_threaded
from apogee_labels.cannon.training.coefficients import BLOCK
from apogee_labels.cannon.training.fitting import prepared
from apogee_labels.cannon.training.restrictions import Bounds, Censors, censored_terms, term_bounds
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.training.trainer import Trainer
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.validation.cross_validation import deal
from apogee_labels.cannon.validation.fold_fits import path_fits
from apogee_labels.core.arrays import Bools, Floats, Indices
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.progress import PassProgress, ProgressCallback

MOST_BYTES = 1_000_000_000
"""Memory that whole models may take, for labels to be inferred from them."""

PIECE_BYTES = 32_000_000
"""Memory of the coefficients of the pixels that are worked on together."""


@dataclass(frozen=True, eq=False)
class RegularizationPath:
    """How well models of S strengths describe stars that they have not seen."""

    label_names: tuple[str, ...]
    strengths: Floats
    """L1 strengths Lambda, rising, shape (S,)."""
    score: Floats
    """Weighted squared residual per datum, shape (S,): about 1 where scatter and inverse variances describe the stars."""
    standard_error: Floats
    """Of the score, from its differences between stars, shape (S,)."""
    excess_error: Floats
    """Standard error of the score less the lowest score, taken star by star, shape (S,).  What all strengths have in
    common, such as the stars' own noise, is not in it, so that it is much the smaller one."""
    zero_share: Floats
    """Share of exact zeros among the coefficients that bear the penalty, shape (S,)."""
    bias: Floats | None
    """Mean of inferred less true labels, shape (S, L); None where labels were not inferred."""
    rms: Floats | None
    """Root mean square of the same, shape (S, L)."""

    @property
    def best(self) -> float:
        """Strength of the lowest score."""
        return float(self.strengths[np.argmin(self.score)])

    @property
    def one_standard_error(self) -> float:
        """Largest strength whose score is above the lowest by no more than its standard error."""
        within = self.score - self.score.min() <= self.excess_error
        return float(self.strengths[within].max())

    @property
    def chosen(self) -> float:
        """Strength to train with: the sparsest model that the stars do not tell from the best one."""
        return self.one_standard_error


@single_threaded
def choose_regularization(
    training_set: TrainingSet,
    strengths: Sequence[float],
    label_names: Sequence[str] | None = None,
    order: int = 2,
    *,
    validation_set: TrainingSet | None = None,
    censors: Censors | None = None,
    bounds: Bounds | None = None,
    scatter_rule: ScatterRule | str = ScatterRule.RESTRICTED,
    infer: bool = True,
    progress: ProgressCallback | None = None,
) -> RegularizationPath:
    """Try strengths of the L1 penalty on stars that the models have not seen.

    Parameters
    ----------
    training_set, label_names, order, censors, bounds, scatter_rule
        As in :meth:`apogee_labels.cannon.model.CannonModel.train`.
    strengths
        L1 strengths Lambda to try, such as ``np.geomspace(1, 1e4, 9)``, with 0 to know what the penalty gains.
    validation_set
        Other stars, whose labels are known, on the same pixels; the models are trained on all of the training set.
        Default: the training set's own stars, fold by fold.
    infer
        Whether labels of the stars are inferred, too, for their bias and rms: takes most of the time with many labels.
    progress
        Called with the work that is done and the total, after every few pixels.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: as in training.
    ValueError
        A strength is negative or not finite; the validation set has other pixels or lacks a label; the models of all
        strengths are too large for labels to be inferred.
    """
    chosen, vectorizer = prepared(training_set, label_names, order)
    allowed = censored_terms(vectorizer, chosen.wavelength, censors)
    rule = ScatterRule(scatter_rule)
    trainer = Trainer(chosen, vectorizer, rule=rule, allowed=allowed, bounds=term_bounds(vectorizer, bounds))
    path, held = _checked(strengths), _held(chosen, validation_set)
    if infer:
        _check_size(len(path), len(held), len(chosen.wavelength), vectorizer.n_terms)
    passes = PassProgress(progress, len(chosen.wavelength), 2 + infer * len(held))
    s2 = trainer.fit(progress=passes.within).s2
    trial = _Trial(trainer, path, held, s2, keep=infer)
    for pixels in trial.pieces():
        trial.score(pixels)
        passes.within(pixels.stop, len(s2))
    return trial.result(*trial.errors_of_labels(passes))


class _Held(NamedTuple):
    """Stars that the models of a fold have not seen."""

    stars: TrainingSet  # among which they are
    rows: Indices
    fold: int | None  # of the training set; None: they are not of that set


class _Trial:
    """Models along a path, and what they make of the stars held back.

    `held` are the stars of each fold, `s2` the scatter for all strengths, (P,), `keep` whether the models are kept.
    """

    def __init__(self, trainer: Trainer, strengths: Floats, held: list[_Held], s2: Floats, *, keep: bool) -> None:
        self.trainer, self.strengths, self.held, self.s2 = trainer, strengths, held, s2
        self.fold = None if held[0].fold is None else deal(trainer.training_set.labels)
        count = sum(len(part.rows) for part in held)
        self.total, self.n_data = np.zeros((len(strengths), count)), np.zeros(count)
        self.n_zero, self.n_free = np.zeros(len(strengths)), 0
        shape = len(strengths), len(held), len(s2), trainer.vectorizer.n_terms
        self.theta = np.empty(shape) if keep else None
        self.trained = np.zeros((len(held), len(s2)), dtype=bool)
        edges = np.cumsum([0, *(len(part.rows) for part in held)]).tolist()
        self.places = [slice(*pair) for pair in pairwise(edges)]
        self.designs = [self._design(part) for part in held]

    def pieces(self) -> list[slice]:
        """All pixels, as many together as memory allows."""
        pixel = 8 * len(self.strengths) * len(self.held) * self.trainer.vectorizer.n_terms
        size = BLOCK * max(1, PIECE_BYTES // (pixel * BLOCK))
        return [slice(start, min(start + size, len(self.s2))) for start in range(0, len(self.s2), size)]

    def score(self, pixels: slice) -> None:
        """Train some pixels at every strength, and add the squared residuals of the stars held back."""
        theta = self._fits(pixels)
        untrained = np.eye(1, theta.shape[-1])[0]
        trained = (theta != untrained).any(axis=(0, 3)) & np.isfinite(self.s2[pixels])
        self.trained[:, pixels] = trained
        if self.theta is not None:
            self.theta[:, :, pixels] = theta
        self._count_zeros(theta, trained, pixels)
        s2 = np.where(np.isfinite(self.s2[pixels]), self.s2[pixels], 0.0)
        for number, (stars, rows, _) in enumerate(self.held):
            flux, ivar = (array[rows, pixels] for array in (stars.flux, stars.ivar))
            weight = ivar / (1.0 + ivar * s2) * trained[number]
            self.n_data[self.places[number]] += np.count_nonzero(weight, axis=1)
            for total, coefficients in zip(self.total[:, self.places[number]], theta[:, number], strict=True):
                residual = flux - self.designs[number] @ coefficients.T
                total += np.einsum("np,np,np->n", weight, residual, residual)

    def errors_of_labels(self, passes: PassProgress) -> tuple[Floats, Floats] | tuple[None, None]:
        """Bias and rms of the labels of the stars held back, both (S, L); None without the models."""
        if self.theta is None:
            return None, None
        n_labels = len(self.trainer.vectorizer.label_names)
        errors = np.full((len(self.strengths), len(self.n_data), n_labels), np.nan)
        for number, place in enumerate(self.places):
            for found, theta in zip(errors[:, place], self.theta[:, number], strict=True):
                found[...] = self._errors(theta, number)
            passes.next()
        known = errors[:, np.isfinite(errors).all(axis=(0, 2))]
        if not known.size:
            return errors[:, 0], errors[:, 0]
        return known.mean(axis=1), np.sqrt((known**2).mean(axis=1))

    def result(self, bias: Floats | None, rms: Floats | None) -> RegularizationPath:
        """What was found.

        Raises
        ------
        BadInputError
            ``BAD_TRAINING_SET``: no pixel could be trained, or no star held back has weight in one.
        """
        if not self.n_data.any():
            message = "no pixel has enough stars with weight for the terms of the model: check ivar, or add stars."
            raise BadInputError(Reason.BAD_TRAINING_SET, message)
        score, error = _per_datum(self.total, self.n_data)
        _, excess = _per_datum(self.total - self.total[np.argmin(score)], self.n_data)
        share = self.n_zero / max(self.n_free, 1)
        names = self.trainer.vectorizer.label_names
        return RegularizationPath(names, self.strengths, score, error, excess, share, bias, rms)

    def _fits(self, pixels: slice) -> Floats:
        """Coefficients of some pixels, shape (S, F, p, T)."""
        trainer = self.trainer
        theta = path_fits(
            trainer.vectorizer.scaled(trainer.training_set.labels),
            trainer.training_set.flux[:, pixels],
            trainer.training_set.ivar[:, pixels],
            self.strengths.tolist(),
            self.fold,
            order=trainer.vectorizer.order,
            s2=self.s2[pixels],
            allowed=None if trainer.allowed is None else trainer.allowed[pixels],
            bounds=trainer.bounds,
        )
        return theta[:, None] if self.fold is None else theta

    def _count_zeros(self, theta: Floats, trained: Bools, pixels: slice) -> None:
        free = np.broadcast_to(trained[:, :, None], theta.shape[1:]).copy()
        free[:, :, 0] = False
        if self.trainer.allowed is not None:
            free &= self.trainer.allowed[pixels]
        self.n_free += int(np.count_nonzero(free))
        self.n_zero += [np.count_nonzero((coefficients == 0.0) & free) for coefficients in theta]

    def _errors(self, theta: Floats, number: int) -> Floats | float:
        """Inferred less true labels of one fold's stars by a model (P, T), shape (n, L); NaN without a trained pixel."""
        training_set, (stars, rows, fold) = self.trainer.training_set, self.held[number]
        if not self.trained[number].any():
            return np.nan
        s2 = np.where(self.trained[number], self.s2, np.inf)
        builder = FormBuilder(training_set.wavelength, theta, s2, marginalize=True)
        seen = training_set.labels if self.fold is None else training_set.labels[self.fold != fold]
        engine = Engine(self.trainer.vectorizer, seen, builder)
        nothing = np.zeros(len(rows), dtype=np.int64)
        return engine.infer(stars.flux[rows], stars.ivar[rows], nothing, Options()).labels - stars.labels[rows]

    def _design(self, held: _Held) -> Floats:
        return self.trainer.vectorizer.design(self.trainer.vectorizer.scaled(held.stars.labels[held.rows]))


def _held(training_set: TrainingSet, validation_set: TrainingSet | None) -> list[_Held]:
    """The stars to score, fold by fold, or those of the validation set."""
    if validation_set is None:
        fold = deal(training_set.labels)
        return [_Held(training_set, np.flatnonzero(fold == one), one) for one in range(int(fold.max()) + 1)]
    missing = [name for name in training_set.label_names if name not in validation_set.label_names]
    if missing:
        known = ", ".join(validation_set.label_names)
        raise ValueError(f"validation_set: expected the labels {', '.join(missing)}, too, got {known}.")
    if not same_grid(validation_set.wavelength, training_set.wavelength):
        raise ValueError(
            f"validation_set: expected the training set's {len(training_set.wavelength)} pixels, got other wavelengths "
            f"({len(validation_set.wavelength)} pixels): see apogee_labels.cannon.regridding.regrid."
        )
    stars = validation_set.select(training_set.label_names)
    return [_Held(stars, np.arange(len(stars)), None)]


def _checked(strengths: Sequence[float]) -> Floats:
    path = np.unique(np.asarray(strengths, dtype=np.float64))
    if not path.size or not (np.isfinite(path) & (path >= 0.0)).all():
        raise ValueError(f"strengths: expected one or more finite numbers, 0 or more, got {list(strengths)}.")
    return path


def _check_size(n_strengths: int, n_folds: int, n_pixels: int, n_terms: int) -> None:
    size = 8 * n_strengths * n_folds * n_pixels * n_terms
    if size > MOST_BYTES:
        raise ValueError(
            f"infer: expected False, for the models of {n_strengths} strengths and {n_folds} folds need {size / 1e9:.1f} "
            f"GB, more than {MOST_BYTES / 1e9:g} GB: try fewer strengths, or choose by the score alone."
        )


def _per_datum(total: Floats, n_data: Floats) -> tuple[Floats, Floats]:
    """Sums of stars (S, N) over the number of their data (N,), and the standard error of that ratio, both (S,)."""
    ratio = total.sum(axis=1) / n_data.sum()
    spread = ((total - ratio[:, None] * n_data) ** 2).sum(axis=1)
    n_stars = np.count_nonzero(n_data)
    return ratio, np.sqrt(spread * n_stars / max(n_stars - 1, 1)) / n_data.sum()
