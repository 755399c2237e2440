"""The labels of spectra: several starts for each, the best chi-square kept, and what may be wrong with it.

Chi-square is not convex in the labels (Ness et al. 2015, "test step").  The starts are percentiles of the training
labels; labels are sought in a box that reaches one training range beyond the training labels on either side, so that a
bad spectrum cannot run away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from include.apogee.masks import BAD_STAR
from include.cannon.flags import ResultFlag
from include.cannon.objective import NumericalObjective, PolynomialObjective
from include.cannon.optimisation import Minima, minimise
from include.cannon.quadratic_forms import FormBuilder, QuadraticForms, join
from include.cannon.spectra import PixelSelection, signal_to_noise
from include.cannon.vectorizer import PolynomialVectorizer

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]

METHOD_VERSION = "2"
"""Raised whenever the same spectrum and model would give other labels: part of every result's identity."""

MARGIN = 1.0
"""How far beyond the training labels labels are sought, in units of their whole range."""

HIGH_CHI_SQUARE, LOW_SNR, FEW_PIXELS = 3.0, 20.0, 0.5
"""Above, below and below which (share of the model's pixels) a result is flagged (Casey et al. 2016 reject above 3)."""

SIMILAR = 9.0
"""Another minimum whose chi-square is larger by less than this, and whose distance squared is more, is worth a flag."""

CHUNK, _FORM_CHUNK = 1024, 64


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
    chi_sq: Floats
    """Shape (N,), at the best nuisances, scatter included in the weights."""
    reduced_chi_sq: Floats
    """Shape (N,): over n_pixels - L - the number of nuisances; NaN without degrees of freedom."""
    snr: Floats
    """Median of flux * sqrt(ivar) over the informative pixels, shape (N,)."""
    flags: NDArray[np.int64]
    """Bits of :class:`include.cannon.flags.ResultFlag`, shape (N,)."""
    converged: Bools
    """Shape (N,)."""
    n_iterations: Indices
    """Steps of the start that was kept, shape (N,)."""
    n_pixels: Indices
    """Pixels that carry information, in the spectrum and in the model, shape (N,)."""

    def __len__(self) -> int:
        return len(self.labels)


class Options(NamedTuple):
    """How labels are sought."""

    n_initialisations: int = 10
    use_derivatives: bool = True


class Engine:
    """A model made ready for inference.

    Parameters
    ----------
    vectorizer
        Terms and scales of the model.
    training_labels
        Shape (N, L): starts, box and range.
    builder
        Makes chi-square of spectra.
    """

    def __init__(self, vectorizer: PolynomialVectorizer, training_labels: Floats, builder: FormBuilder) -> None:
        self.vectorizer, self.builder = vectorizer, builder
        self._scaled = vectorizer.scaled(training_labels)
        self.lowest, self.highest = self._scaled.min(axis=0), self._scaled.max(axis=0)
        reach = MARGIN * (self.highest - self.lowest)
        self.lower, self.upper = self.lowest - reach, self.highest + reach

    def infer(self, flux: Floats, ivar: Floats, starflag: Indices, options: Options) -> Inference:
        """Infer the labels of spectra on the model's grid, shape (N, P), in chunks of bounded memory."""
        chunks = [slice(start, start + CHUNK) for start in range(0, max(len(flux), 1), CHUNK)]
        parts = [self._infer(flux[rows], ivar[rows], starflag[rows], options) for rows in chunks]
        names = [name for name in Inference.__dataclass_fields__ if name != "label_names"]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return Inference(label_names=self.vectorizer.label_names, **joined)

    def _infer(self, flux: Floats, ivar: Floats, starflag: Indices, options: Options) -> Inference:
        count = len(flux)
        forms, snr, invalid = self._forms(flux, ivar)
        freedom = forms.n_pixels - forms.n_nuisances - len(self.vectorizer.label_names)
        informed = np.flatnonzero(freedom > 0)
        used = _take(forms, informed)
        best = self._best(used, options)
        labels, covariance = self._answer(used, best.x)
        chi_sq = _spread(best.value, informed, count)
        reduced = np.divide(chi_sq, freedom, out=np.full(count, np.nan), where=freedom > 0)
        flags = np.zeros(count, dtype=np.int64)
        flags[informed] = self._flags_of_fit(best, covariance)
        flags |= self._flags_of_spectrum(reduced, snr, forms.n_pixels, starflag)
        flags |= _bits((ResultFlag.INVALID_PIXELS, invalid), (ResultFlag.NO_INFORMATION, freedom <= 0))
        return Inference(
            label_names=self.vectorizer.label_names,
            labels=_spread(labels, informed, count),
            covariance=_spread(covariance, informed, count),
            chi_sq=chi_sq,
            reduced_chi_sq=reduced,
            snr=snr,
            flags=flags,
            converged=_spread(best.converged, informed, count, fill=False),
            n_iterations=_spread(best.n_iterations, informed, count, fill=0),
            n_pixels=forms.n_pixels,
        )

    def _forms(self, flux: Floats, ivar: Floats) -> tuple[QuadraticForms, Floats, Bools]:
        """Quadratic forms, signal-to-noise ratios, and which spectra had invalid pixels."""
        selection = PixelSelection(self.builder.informative, _FORM_CHUNK)
        work = np.empty((2, _FORM_CHUNK, self.builder.n_informative))
        forms, snr, invalid = [], [], []
        for start in range(0, max(len(flux), 1), _FORM_CHUNK):
            rows = slice(start, start + _FORM_CHUNK)
            pixels = selection.gather(flux[rows], ivar[rows])
            forms.append(self.builder.build(pixels.flux, pixels.ivar, work[:, : len(pixels.flux)]))
            snr.append(signal_to_noise(pixels.flux, pixels.ivar))
            invalid.append(pixels.invalid)
        return join(forms), np.concatenate(snr), np.concatenate(invalid)

    def starts(self, count: int) -> Floats:
        """Scaled labels of the starts, shape (count, L): all labels at the same percentile, from low to high."""
        return np.percentile(self._scaled, (np.arange(count) + 0.5) / count * 100.0, axis=0)

    def _best(self, forms: QuadraticForms, options: Options) -> _Best:
        kind = PolynomialObjective if options.use_derivatives else NumericalObjective
        objective = kind(forms, len(self.lower), self.vectorizer.order)
        starts = self.starts(options.n_initialisations)
        start = np.broadcast_to(starts, (len(forms.c), *starts.shape)).copy()
        return _choose(minimise(objective, start, self.lower, self.upper), forms, self.vectorizer)

    def _answer(self, forms: QuadraticForms, x: Floats) -> tuple[Floats, Floats]:
        """Labels and covariance, in the labels' units; the covariance is NaN where the labels are not determined."""
        fisher = _fisher(forms, self.vectorizer, x)
        scale = np.sqrt(np.maximum(np.einsum("nll->nl", fisher), np.finfo(float).tiny))
        unit = fisher / (scale[:, :, None] * scale[:, None, :])
        poor = np.linalg.eigvalsh(unit)[:, 0] < 1e-12
        unit[poor] = np.eye(x.shape[1])
        covariance = np.linalg.inv(unit) / (scale[:, :, None] * scale[:, None, :])
        covariance[poor] = np.nan
        scales = self.vectorizer.scales
        return self.vectorizer.unscaled(x), covariance * (scales[:, None] * scales)

    def _flags_of_fit(self, best: _Best, covariance: Floats) -> NDArray[np.int64]:
        outside = ((best.x < self.lowest) | (best.x > self.highest)).any(axis=1)
        at_bound = ((best.x <= self.lower) | (best.x >= self.upper)).any(axis=1)
        return _bits(
            (ResultFlag.NOT_CONVERGED, ~best.converged),
            (ResultFlag.SEVERAL_MINIMA, best.several),
            (ResultFlag.OUTSIDE_TRAINING, outside),
            (ResultFlag.AT_BOUND, at_bound),
            (ResultFlag.SINGULAR, np.isnan(covariance[:, 0, 0])),
        )

    def _flags_of_spectrum(
        self, reduced: Floats, snr: Floats, n_pixels: Indices, starflag: Indices
    ) -> NDArray[np.int64]:
        return _bits(
            (ResultFlag.HIGH_CHI_SQUARE, reduced > HIGH_CHI_SQUARE),
            (ResultFlag.LOW_SNR, ~(snr >= LOW_SNR)),
            (ResultFlag.FEW_PIXELS, n_pixels < FEW_PIXELS * self.builder.n_informative),
            (ResultFlag.BAD_STARFLAG, (starflag & int(BAD_STAR)) != 0),
        )


class _Best(NamedTuple):
    """The start that was kept."""

    x: Floats  # (n, L)
    value: Floats  # (n,)
    converged: Bools
    n_iterations: Indices
    several: Bools


def _choose(minima: Minima, forms: QuadraticForms, vectorizer: PolynomialVectorizer) -> _Best:
    """The lowest chi-square of the starts that converged; of all of them when none did."""
    value = np.where(minima.converged | ~minima.converged.any(axis=1, keepdims=True), minima.value, np.inf)
    which = value.argmin(axis=1)
    rows = np.arange(len(which))
    x, lowest = minima.x[rows, which], minima.value[rows, which]
    apart = minima.x - x[:, None]
    distance = np.einsum("nsl,nlm,nsm->ns", apart, _fisher(forms, vectorizer, x), apart)
    several = (minima.converged & (minima.value - lowest[:, None] < SIMILAR) & (distance > SIMILAR)).any(axis=1)
    return _Best(x, lowest, minima.converged[rows, which], minima.n_iterations[rows, which], several)


def _fisher(forms: QuadraticForms, vectorizer: PolynomialVectorizer, x: Floats) -> Floats:
    """J'AJ at scaled labels x (n, L), shape (n, L, L)."""
    jacobian = vectorizer.jacobian(x)[:, 1:]
    return np.asarray(np.swapaxes(jacobian, 1, 2) @ (forms.a @ jacobian))


def _take(forms: QuadraticForms, rows: Indices) -> QuadraticForms:
    if len(rows) == len(forms.c):
        return forms
    a, b, c, n_pixels, n_nuisances = forms
    return QuadraticForms(a[rows], b[rows], c[rows], n_pixels[rows], n_nuisances[rows])


def _spread(values: NDArray[Any], rows: Indices, count: int, *, fill: float = np.nan) -> NDArray[Any]:
    """`values` at `rows`, `fill` elsewhere."""
    result = np.full((count, *values.shape[1:]), fill, dtype=values.dtype)
    result[rows] = values
    return result


def _bits(*parts: tuple[ResultFlag, Bools]) -> NDArray[np.int64]:
    total = np.zeros(len(parts[0][1]), dtype=np.int64)
    for flag, where in parts:
        total[where] |= int(flag)
    return total
