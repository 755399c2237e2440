"""Errors of labels that assume nothing about the noise: the bootstrap over pixels, the jackknife over training stars.

Bootstrap: a spectrum is put together anew from blocks of neighbouring pixels of each detector, drawn with replacement
(the circular block bootstrap, Politis & Romano 1992), and its labels are inferred again.  A pixel that is drawn k times
counts k times in chi-square.  Blocks keep together what is correlated between neighbours; the labels' spread is that of
the residuals as they are, whatever the inverse variances say.  The noise of the coefficients is in it, as far as it
differs from pixel to pixel.  What shifts lines all over the spectrum together, such as an abundance that is no label of
the model, is not: validation finds that (:mod:`apogee_labels.cannon.validation.cross_validation`).

Jackknife: without each of G groups of its stars the model is trained again, at the same scatter, and

    covariance = (G - 1) / G sum_g (x_g - mean) (x_g - mean)'

is the part of the errors that comes from the finite training set (delete-a-group jackknife), errors of its labels
included.  Spectra inferred by one model have it in common.  It is not to be added to the bootstrap's errors, which have
the coefficients' share already, but to formal ones without correction for the coefficients' noise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apogee_labels.cannon.bad_pixels import mask_impossible, unmasked
from apogee_labels.cannon.continuum.normalization import detector_pixels
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.cannon.regridding import same_grid
from apogee_labels.cannon.threads import single_threaded
from apogee_labels.cannon.training.fitting import check_regularization
from apogee_labels.cannon.training.restrictions import censored_terms, term_bounds
from apogee_labels.cannon.training.trainer import Fit, Trainer
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.arrays import Floats, Indices
from apogee_labels.core.progress import ProgressCallback

Counts = NDArray[np.int16]

LEAST_BLOCKS = 4
"""Blocks that a detector has at least: with fewer pixels than that the blocks are shorter."""

CHUNK = 256
"""Resampled spectra that are inferred together."""


class InferenceOptions(TypedDict, total=False):
    """Options of :meth:`apogee_labels.cannon.model.CannonModel.infer` that go together with resampling."""

    n_initialisations: int
    use_derivatives: bool
    correct_coefficient_noise: bool | None
    marginalize_continuum: bool
    latent_components: int | None


@dataclass(frozen=True, eq=False)
class Resampled:
    """Labels of N spectra under resampling.

    A spectrum without labels in two samples at least (bootstrap), or in a group (jackknife), has NaN.
    """

    label_names: tuple[str, ...]
    mean: Floats
    """Mean of the samples, shape (N, L), in the units of the training labels."""
    covariance: Floats
    """Shape (N, L, L)."""
    n_samples: Indices
    """Samples that gave labels, shape (N,)."""

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def errors(self) -> Floats:
        """Square roots of the covariances' diagonals, shape (N, L)."""
        return np.asarray(np.sqrt(np.einsum("nll->nl", self.covariance)))


@single_threaded
def bootstrap(
    model: CannonModel,
    flux: ArrayLike,
    ivar: ArrayLike,
    n_samples: int = 100,
    *,
    block: int = 25,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    **options: Unpack[InferenceOptions],
) -> Resampled:
    """Errors of labels from the residuals of each spectrum, by resampling its pixels.

    All spectra are resampled alike, so that the answer for one does not depend on the others.

    Parameters
    ----------
    model
        Infers the labels.
    flux, ivar
        Shape (N, P) or (P,), on the model's pixels: normalised flux and its inverse variance.
    n_samples
        Number of samples, 2 or more; an error is known to 1 / sqrt(2 (n_samples - 1)), a fourteenth with 100.
    block
        Pixels that stay together: 25 are 100 km/s.  Longer than the residuals' correlation, and short enough for a
        detector to have many.
    seed
        Of the random numbers.
    progress
        Called with the number of spectra done and their total.
    options
        :class:`InferenceOptions`, as of :meth:`apogee_labels.cannon.model.CannonModel.infer`.

    Raises
    ------
    TypeError
        Another option is given.
    ValueError
        A parameter is out of its range, or the spectra have other shapes.
    """
    _check_options(options)
    if n_samples < 2 or block < 1:
        raise ValueError(f"expected n_samples of 2 or more and block of 1 or more, got {n_samples} and {block}.")
    fluxes, ivars = _spectra(model, flux, ivar)
    counts = block_counts(model.wavelength, n_samples, block, np.random.default_rng(seed))
    weighted, s2 = _by_weight(model, options.get("latent_components"))
    n_labels = len(model.label_names)
    mean, covariance = np.full((len(fluxes), n_labels), np.nan), np.full((len(fluxes), n_labels, n_labels), np.nan)
    used = np.zeros(len(fluxes), dtype=np.intp)
    for row in range(len(fluxes)):
        star, inverse = fluxes[row].copy(), ivars[row].copy()
        mask_impossible(star[None], inverse[None])
        usable = (inverse > 0.0) & model.informative
        weight = np.where(usable, inverse, 0.0) / (1.0 + inverse * s2)
        labels = _resampled_labels(weighted, star, weight, counts, options)
        used[row] = len(labels)
        if len(labels) >= 2:
            mean[row], covariance[row] = labels.mean(axis=0), np.atleast_2d(np.cov(labels, rowvar=False))
        if progress is not None:
            progress(row + 1, len(fluxes))
    return Resampled(model.label_names, mean, covariance, used)


@single_threaded
def jackknife(
    training_set: TrainingSet,
    model: CannonModel,
    flux: ArrayLike,
    ivar: ArrayLike,
    n_groups: int = 10,
    *,
    regularization: float | ArrayLike | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    **options: Unpack[InferenceOptions],
) -> Resampled:
    """The part of the labels' errors that comes from the finite training set.

    Stars of equal labels are in one group.  Penalty, censors and bounds are those of the model.

    Parameters
    ----------
    training_set
        What the model was trained on: the same file, or the same set in memory.
    model
        Of all its stars; gives scales, scatter and the number of latent components.
    flux, ivar
        As in :func:`bootstrap`.
    n_groups
        Number of groups, 2 or more; an error is known to 1 / sqrt(2 (n_groups - 1)), a quarter with 10.  The groups'
        models are in memory together.
    regularization
        The model's penalty, where it is one number a pixel, which a model does not keep; default: as the model says.
    seed
        Of the random numbers that deal the stars to groups.
    progress
        Called with the number of groups done and their total.
    options
        As in :func:`bootstrap`.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: the training set lacks a label of the model.
    TypeError
        An option is not one of those.
    ValueError
        A parameter is out of its range, the spectra have other shapes, or the model is not of this training set.
    """
    _check_options(options)
    fluxes, ivars = _spectra(model, flux, ivar)
    trainer = _trainer(training_set, model, regularization)
    group = _deal(trainer.training_set.labels, n_groups, np.random.default_rng(seed))
    found = np.empty((n_groups, len(fluxes), len(model.label_names)))
    for number, without in enumerate(_models_without(trainer, model, group)):
        found[number] = without.infer(fluxes, ivars, **options).labels
        if progress is not None:
            progress(number + 1, n_groups)
    mean = found.mean(axis=0)
    covariance = (n_groups - 1) / n_groups * np.einsum("gnk,gnl->nkl", found - mean, found - mean)
    return Resampled(model.label_names, mean, covariance, np.isfinite(found).all(axis=2).sum(axis=0))


def block_counts(wavelength: Floats, n_samples: int, block: int, rng: np.random.Generator) -> Counts:
    """How often each pixel is drawn, shape (n_samples, P): as many pixels of each detector as it has.

    Blocks begin anywhere and go on from a detector's end to its beginning, so that all pixels are drawn alike.  Pixels
    before, between and after the detectors are drawn among themselves.
    """
    counts = np.empty((n_samples, len(wavelength)), dtype=np.int16)
    ends = chain.from_iterable((part.start, part.stop) for part in detector_pixels(wavelength))
    for start, stop in pairwise(sorted({0, len(wavelength), *ends})):
        size = stop - start
        length = min(block, max(size // LEAST_BLOCKS, 1))
        first = rng.integers(0, size, (n_samples, -(-size // length), 1))
        drawn = ((first + np.arange(length)) % size).reshape(n_samples, -1)[:, :size]
        places = drawn + size * np.arange(n_samples)[:, None]
        counts[:, start:stop] = np.bincount(places.ravel(), minlength=n_samples * size).reshape(n_samples, size)
    return counts


def _by_weight(model: CannonModel, components: int | None) -> tuple[CannonModel, Floats]:
    """The model without scatter, which takes weights for inverse variances, and the scatter that goes into them.

    A pixel drawn k times has k times the weight 1 / (sigma^2 + s2), which no inverse variance gives beside s2.
    """
    count = model.loadings.shape[1] if components is None else components
    s2 = np.where(model.informative, model.s2 + (model.loadings[:, count:] ** 2).sum(axis=1), 0.0)
    bare = np.where(model.informative, 0.0, np.inf)
    return replace(model, s2=bare, loadings=model.loadings[:, :count]), s2


def _resampled_labels(
    model: CannonModel, flux: Floats, weight: Floats, counts: Counts, options: InferenceOptions
) -> Floats:
    """Labels of one spectrum's samples, those that have any, shape (n, L)."""
    parts = []
    for start in range(0, len(counts), CHUNK):
        weights = counts[start : start + CHUNK] * weight
        parts.append(model.infer(np.broadcast_to(flux, weights.shape), weights, **options).labels)
    labels = np.concatenate(parts)
    return labels[np.isfinite(labels).all(axis=1)]


def _models_without(trainer: Trainer, model: CannonModel, group: Indices) -> Iterator[CannonModel]:
    """The model of all stars but those of each group."""
    n_groups = int(group.max()) + 1
    noise = None  # of fewer stars, that of the coefficients is larger
    if model.noise is not None:
        noise = CoefficientNoise(model.noise.amplitudes * n_groups / (n_groups - 1), model.noise.modes)
    count = model.loadings.shape[1]
    if count:
        common = trainer.residuals(trainer.fit())
        for number in range(n_groups):
            left = group != number
            fit = trainer.fit(scores=trainer.scores(common, count, left), stars=left, s2=model.s2)
            yield replace(model, theta=fit.theta, loadings=fit.loadings, s2=fit.s2, noise=noise)
        return
    for fit in trainer.fits_without(group, Fit(model.theta, model.loadings, model.s2, None)):
        yield replace(model, theta=fit.theta, s2=fit.s2, noise=noise)


def _trainer(training_set: TrainingSet, model: CannonModel, regularization: float | ArrayLike | None) -> Trainer:
    """What trains as the model was trained."""
    asked = training_set.select(model.label_names)
    chosen = asked.with_spectra()
    same = any(_same_labels(stars.labels, model.training_labels) for stars in (chosen, asked))
    if not same or not same_grid(chosen.wavelength, model.wavelength):
        raise ValueError(
            f"training_set: expected the one of the model, with the labels of its {len(model.training_labels)} stars and "
            f"its {len(model.wavelength)} pixels, got another one of {len(chosen)} stars, {len(chosen.wavelength)} pixels."
        )
    digest = model.metadata.get("training_set", asked.digest)
    if asked.digest != digest:
        raise ValueError(
            f"training_set: expected the set that the model was trained on, of digest {digest}, got one of the same labels "
            f"but other content, of digest {asked.digest}: give that set, read from the file that was trained on."
        )
    strength = model.metadata.get("regularization", 0.0) if regularization is None else regularization
    if isinstance(strength, str):
        raise ValueError(
            "regularization: expected the strengths of each pixel that the model was trained with, which it does not keep."
        )
    censors, bounds = (json.loads(str(model.metadata.get(name, "{}"))) for name in ("censors", "bounds"))
    return Trainer(
        chosen,
        model.vectorizer,
        regularization=check_regularization(strength, len(model.wavelength)),
        allowed=censored_terms(model.vectorizer, model.wavelength, censors),
        bounds=term_bounds(model.vectorizer, bounds),
    )


def _same_labels(first: Floats, second: Floats) -> bool:
    return first.shape == second.shape and np.allclose(first, second)


def _deal(labels: Floats, n_groups: int, rng: np.random.Generator) -> Indices:
    """Group of every star, shape (N,): at random, whatever the order of the rows, stars of equal labels together."""
    kinds = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
    n_kinds = int(kinds.max()) + 1
    if not 2 <= n_groups <= n_kinds:
        raise ValueError(f"n_groups: expected 2 to {n_kinds}, the stars of different labels, got {n_groups}.")
    return np.asarray(rng.permutation(n_kinds)[kinds] % n_groups)


def _check_options(options: InferenceOptions) -> None:
    known = InferenceOptions.__annotations__
    other = ", ".join(name for name in options if name not in known)
    if other:
        raise TypeError(
            f"options: expected some of {', '.join(known)}, got {other}; spectra are to be on the model's pixels "
            "(apogee_labels.cannon.regridding.regrid)."
        )


def _spectra(model: CannonModel, flux: ArrayLike, ivar: ArrayLike) -> tuple[Floats, Floats]:
    fluxes, ivars = (np.atleast_2d(np.asarray(array, dtype=np.float64)) for array in unmasked(flux, ivar))
    if fluxes.shape != ivars.shape or fluxes.ndim != 2 or fluxes.shape[1] != len(model.wavelength):
        raise ValueError(
            f"expected flux and ivar of one shape (N, {len(model.wavelength)}), on the model's pixels, got {fluxes.shape} "
            f"and {ivars.shape}: see apogee_labels.cannon.regridding.regrid."
        )
    return fluxes, ivars
