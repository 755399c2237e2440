"""The labels of spectra: several starts for each, the best chi-square kept, and what may be wrong with it.

Chi-square is not convex in the labels (Ness et al. 2015, "test step").  The starts are percentiles of the training
labels; labels are sought in a box that reaches one training range beyond the training labels on either side, so that a
bad spectrum cannot run away.  From the minimum, one local step takes out what the noise of the model's coefficients did
(:mod:`apogee_labels.cannon.noise.coefficient_noise`), when that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apogee_labels.apogee.spectra.masks import BAD_STAR
from apogee_labels.cannon.bad_pixels import PixelSelection, signal_to_noise
from apogee_labels.cannon.flags import ResultFlag
from apogee_labels.cannon.inference.best_fit import BestFit, best_fit, fisher, inverse
from apogee_labels.cannon.inference.label_hull import LabelHull
from apogee_labels.cannon.inference.likeness import Likeness, likeness
from apogee_labels.cannon.inference.objective import NumericalObjective, analytic_objective
from apogee_labels.cannon.inference.optimisation import minimise
from apogee_labels.cannon.inference.quadratic_forms import FormBuilder, QuadraticForms, join, take
from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise, corrected
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Bools, Floats, Indices, Integers

METHOD_VERSION = "3"
"""Raised whenever the same spectrum and model would give other labels: part of every result's identity."""

MARGIN = 1.0
"""How far beyond the training labels labels are sought, in units of their whole range."""

HIGH_CHI_SQUARE, LOW_SNR, FEW_PIXELS = 3.0, 20.0, 0.5
"""Above, below and below which (share of the model's pixels) a result is flagged (Casey et al. 2016 reject above 3)."""

FEW_STARS = 20
"""Training stars for each term below which every result is flagged: the errors' pulls reach 2."""

CHUNK, _FORM_CHUNK = 1024, 64
"""Spectra that are fitted together, and whose pixels are gathered together."""

CHUNK_BYTES = 16_000_000
"""Quadratic forms of spectra that are fitted together need no more memory than this, with many labels."""


@dataclass(frozen=True, eq=False)
class Inference:
    """Labels of N spectra.

    A spectrum without information has NaN labels, covariance and chi-square, and its flag is set.
    """

    label_names: tuple[str, ...]
    labels: Floats
    """Shape (N, L), in the units of the training labels."""
    covariance: Floats
    """Formal covariance, shape (N, L, L), with noise and intrinsic scatter: inv(J'AJ), nuisances marginalised in A."""
    errors: Floats
    """Shape (N, L): formal, and added in quadrature what validation found beyond; without validation formal alone; NaN where
    the validation was of another number of latent components."""
    chi_sq: Floats
    """Shape (N,), at the best nuisances, scatter included in the weights; of the fit, before a correction."""
    reduced_chi_sq: Floats
    """Shape (N,): over n_pixels - L - the number of nuisances; NaN without degrees of freedom."""
    unexplained: Floats
    """Share of the lines that the model leaves unexplained (:mod:`apogee_labels.cannon.inference.likeness`), shape (N,)."""
    snr: Floats
    """Median of flux * sqrt(ivar) over the informative pixels, shape (N,)."""
    flags: Integers
    """Bits of :class:`apogee_labels.cannon.flags.ResultFlag`, shape (N,)."""
    converged: Bools
    """Shape (N,)."""
    n_iterations: Indices
    """Steps of the start that was kept, shape (N,)."""
    n_pixels: Indices
    """Pixels that carry information, in the spectrum and in the model, shape (N,)."""
    n_freedom: Indices
    """Degrees of freedom of chi-square, shape (N,); 0 or less where there is no information."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def raw_errors(self) -> Floats:
        """Formal errors, the square roots of the covariances' diagonals, shape (N, L)."""
        return np.asarray(np.sqrt(np.einsum("nll->nl", self.covariance)))


def concatenate(parts: Sequence[Inference]) -> Inference:
    """Return the labels of all spectra, in order; flags and all else as they are."""
    names = [name for name in Inference.__dataclass_fields__ if name != "label_names"]
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Inference(label_names=parts[0].label_names, **joined)


class Options(NamedTuple):
    """How labels are sought."""

    n_initialisations: int = 10
    use_derivatives: bool = True
    correct: bool = False
    """Whether the coefficients' noise is taken out."""


class Engine:
    """A model made ready for inference.

    Parameters
    ----------
    vectorizer
        Terms and scales of the model.
    training_labels
        Shape (N, L): starts, box and hull.
    builder
        Makes chi-square of spectra, and knows the noise of the coefficients.
    beyond
        Covariance of the labels' errors beyond the formal one, without and with the correction for the coefficients'
        noise, shape (2, L, L), in the labels' units; default: none.
    few_stars
        Whether the model was trained on few stars for its terms, which every result then says.
    """

    def __init__(
        self,
        vectorizer: PolynomialVectorizer,
        training_labels: Floats,
        builder: FormBuilder,
        beyond: Floats | None = None,
        *,
        few_stars: bool = False,
    ) -> None:
        self.vectorizer, self.builder = vectorizer, builder
        self.beyond = np.zeros((2, *[len(vectorizer.label_names)] * 2)) if beyond is None else beyond
        self._scaled = vectorizer.scaled(training_labels)
        lowest, highest = self._scaled.min(axis=0), self._scaled.max(axis=0)
        reach = MARGIN * (highest - lowest)
        self.lower, self.upper = lowest - reach, highest + reach
        self._hull = LabelHull(self._scaled)
        self._few_stars = few_stars

    @property
    def noise(self) -> CoefficientNoise | None:
        """Noise of the coefficients, where it is known."""
        return self.builder.noise

    def infer(self, flux: Floats, ivar: Floats, starflag: Indices, options: Options) -> Inference:
        """Infer the labels of spectra on the model's grid, shape (N, P), in chunks of bounded memory."""
        return self.infer_ways(flux, ivar, starflag, options, (options.correct,))[0]

    def infer_ways(
        self, flux: Floats, ivar: Floats, starflag: Indices, options: Options, ways: tuple[bool, ...]
    ) -> list[Inference]:
        """Answer the same fits without (False) and with (True) the correction for the coefficients' noise."""
        size = min(CHUNK, max(CHUNK_BYTES // (8 * self.builder.theta.shape[1] ** 2), 1))
        chunks = [slice(start, start + size) for start in range(0, max(len(flux), 1), size)]
        parts = []
        for rows in chunks:
            fitted = self._fit(flux[rows], ivar[rows], options)
            parts.append([self._answer(fitted, starflag[rows], correct=correct) for correct in ways])
        return [concatenate(way) for way in zip(*parts, strict=True)]

    def starts(self, count: int) -> Floats:
        """Scaled labels of the starts, shape (count, L): all labels at the same percentile, from low to high."""
        return np.percentile(self._scaled, (np.arange(count) + 0.5) / count * 100.0, axis=0)

    def _fit(self, flux: Floats, ivar: Floats, options: Options) -> _Fitted:
        forms, snr, invalid = self._forms(flux, ivar)
        freedom = forms.n_pixels - forms.n_nuisances - len(self.vectorizer.label_names)
        informed = np.flatnonzero(freedom > 0)
        used = take(forms, informed)
        kind = analytic_objective if options.use_derivatives else NumericalObjective
        objective = kind(used, len(self.lower), self.vectorizer.order)
        starts = self.starts(options.n_initialisations)
        start = np.broadcast_to(starts, (len(informed), *starts.shape)).copy()
        best = best_fit(minimise(objective, start, self.lower, self.upper), used, self.vectorizer)
        return _Fitted(used, best, informed, freedom, forms.n_pixels, snr, invalid)

    def _forms(self, flux: Floats, ivar: Floats) -> tuple[QuadraticForms, Floats, Bools]:
        """Quadratic forms, signal-to-noise ratios, and which spectra had invalid pixels."""
        selection = PixelSelection(self.builder.informative, min(_FORM_CHUNK, max(len(flux), 1)))
        work = np.empty((3, min(_FORM_CHUNK, max(len(flux), 1)), self.builder.n_informative))
        forms, snr, invalid = [], [], []
        for start in range(0, max(len(flux), 1), _FORM_CHUNK):
            rows = slice(start, start + _FORM_CHUNK)
            pixels = selection.gather(flux[rows], ivar[rows])
            forms.append(self.builder.build(pixels.flux, pixels.ivar, work[:, : len(pixels.flux)]))
            snr.append(signal_to_noise(pixels.flux, pixels.ivar))
            invalid.append(pixels.invalid)
        return join(forms), np.concatenate(snr), np.concatenate(invalid)

    def _answer(self, fitted: _Fitted, starflag: Indices, *, correct: bool) -> Inference:
        count, rows, best = len(fitted.freedom), fitted.rows, fitted.best
        x, covariance = self._labels(fitted, correct=correct)
        scales = self.vectorizer.scales
        covariance *= scales[:, None] * scales
        freedom = fitted.freedom[rows]
        like = likeness(best.value, fitted.forms.flat, freedom)
        reduced = _spread(best.value / freedom, rows, count)
        flags = self._flags_of_spectrum(fitted, reduced, starflag)
        flags[rows] |= self._flags_of_fit(best, x, covariance, like)
        return Inference(
            label_names=self.vectorizer.label_names,
            labels=_spread(self.vectorizer.unscaled(x), rows, count),
            covariance=_spread(covariance, rows, count),
            errors=_spread(np.sqrt(np.einsum("nll->nl", covariance + self.beyond[int(correct)])), rows, count),
            chi_sq=_spread(best.value, rows, count),
            reduced_chi_sq=reduced,
            unexplained=_spread(like.unexplained, rows, count),
            snr=fitted.snr,
            flags=flags,
            converged=_spread(best.converged, rows, count, fill=False),
            n_iterations=_spread(best.n_iterations, rows, count, fill=0),
            n_pixels=fitted.n_pixels,
            n_freedom=fitted.freedom,
        )

    def _labels(self, fitted: _Fitted, *, correct: bool) -> tuple[Floats, Floats]:
        """Scaled labels and their covariance; the covariance is NaN where the labels are not determined."""
        x = fitted.best.x
        jacobian = self.vectorizer.jacobian(x)
        information = fisher(fitted.forms, jacobian)
        covariance, usable = inverse(information)
        if not correct or self.noise is None:
            return x, covariance
        inside = usable & fitted.best.converged & ~self._at_bound(x)  # elsewhere it is no minimum
        excess = self.noise.excess(fitted.forms.noise)
        step, freed = corrected(self.vectorizer.design(x), jacobian, information, excess, inside)
        return np.clip(x + step, self.lower, self.upper), np.where(inside[:, None, None], freed, covariance)

    def _at_bound(self, x: Floats) -> Bools:
        return np.asarray(((x <= self.lower) | (x >= self.upper)).any(axis=1))

    def _flags_of_fit(self, best: BestFit, x: Floats, covariance: Floats, like: Likeness) -> Integers:
        return _bits(
            (ResultFlag.NOT_CONVERGED, ~best.converged),
            (ResultFlag.SEVERAL_MINIMA, best.several),
            (ResultFlag.OUTSIDE_TRAINING, self._hull.outside(x)),
            (ResultFlag.AT_BOUND, self._at_bound(best.x)),
            (ResultFlag.SINGULAR, np.isnan(covariance[:, 0, 0])),
            (ResultFlag.NO_LINES, like.no_lines),
            (ResultFlag.UNLIKE_TRAINING_SET, like.unlike),
        )

    def _flags_of_spectrum(self, fitted: _Fitted, reduced: Floats, starflag: Indices) -> Integers:
        return _bits(
            (ResultFlag.NO_INFORMATION, fitted.freedom <= 0),
            (ResultFlag.HIGH_CHI_SQUARE, reduced > HIGH_CHI_SQUARE),
            (ResultFlag.LOW_SNR, ~(fitted.snr >= LOW_SNR)),
            (ResultFlag.FEW_PIXELS, fitted.n_pixels < FEW_PIXELS * self.builder.n_informative),
            (ResultFlag.BAD_STARFLAG, (starflag & int(BAD_STAR)) != 0),
            (ResultFlag.INVALID_PIXELS, fitted.invalid),
            (ResultFlag.FEW_TRAINING_STARS, np.full(len(reduced), self._few_stars)),
        )


class _Fitted(NamedTuple):
    """Fits of n spectra, before they are answered."""

    forms: QuadraticForms  # of the spectra with information
    best: BestFit  # of the same
    rows: Indices  # which these are
    freedom: Indices  # (n,)
    n_pixels: Indices  # (n,)
    snr: Floats  # (n,)
    invalid: Bools  # (n,)


def _spread(values: NDArray[Any], rows: Indices, count: int, *, fill: float = np.nan) -> NDArray[Any]:
    """`values` at `rows`, `fill` elsewhere."""
    result = np.full((count, *values.shape[1:]), fill, dtype=values.dtype)
    result[rows] = values
    return result


def _bits(*parts: tuple[ResultFlag, Bools]) -> Integers:
    total = np.zeros(len(parts[0][1]), dtype=np.int64)
    for flag, where in parts:
        total[where] |= int(flag)
    return total
