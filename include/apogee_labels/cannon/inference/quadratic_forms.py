"""The chi-square of a spectrum as a function of the model's terms, with the residual continuum projected out.

With g = f - theta_0 and the terms v without the constant, chi2 = c - 2 b.v + v'A v, where A = theta' W theta, b =
theta' W g and c = g' W g.  The products of theta's columns are fixed for a model, so that A for many spectra is one
matrix product with their weights.

What the normalisation leaves behind is smooth: on each detector the sines and cosines of the continuum are nuisances
with a flat prior.  With N = B' W B, M = B' W theta and r = B' W g (B their values), chi2 at the best nuisances has A -
M' N^-1 M, b - M' N^-1 r and c - r' N^-1 r.  They multiply 1, not the observed flux, whose noise would bias the labels
of faint stars.

Latent variables (:mod:`apogee_labels.cannon.noise.latent`) are nuisances too, with a unit normal prior: their
loadings Lambda join
theta as further columns, and then N = Lambda' W Lambda + 1.  The prior adds K data to chi-square and the variables take
K away, so that its expectation stays the same.

The same sums of weights give two more things: chi-square of a featureless spectrum, f = 1
(:mod:`apogee_labels.cannon.inference.likeness`), and the weights times the amplitudes of the coefficients' noise
(:mod:`apogee_labels.cannon.noise.coefficient_noise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from apogee_labels.cannon.bad_pixels import count_known
from apogee_labels.cannon.continuum.normalization import basis, detector_pixels
from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.core.arrays import Floats, Indices

GUARD = 1e-12
"""Share of a nuisance matrix's mean diagonal added to it, for detectors with fewer good pixels than nuisances."""

CACHED_BYTES = 200_000_000
"""Products of theta that need no more memory than this are kept with the model; else each spectrum is multiplied by
itself."""


_BLOCK = 1024  # pixels of theta that stay in the cache

FEW = 4
"""Spectra up to which each is multiplied by itself: to read the products of theta from memory would take longer."""


class QuadraticForms(NamedTuple):
    """Chi-square of n spectra: c - 2 b.v + v'A v, and what it was made from."""

    a: Floats
    """Shape (n, T - 1, T - 1)."""
    b: Floats
    """Shape (n, T - 1)."""
    c: Floats
    """Shape (n,)."""
    flat: Floats
    """Chi-square of a featureless spectrum, shape (n,); latent variables have no part in it."""
    noise: Floats
    """Sums of the weights times the amplitudes of the coefficients' noise, shape (n, R); R = 0 where it is not known."""
    n_pixels: Indices
    """Informative pixels, shape (n,)."""
    n_nuisances: Indices
    """Nuisances projected out, shape (n,)."""


def join(forms: Sequence[QuadraticForms]) -> QuadraticForms:
    """Return the forms of all spectra, in order."""
    return QuadraticForms._make(np.concatenate(part) for part in zip(*forms, strict=True))


def take(forms: QuadraticForms, rows: Indices) -> QuadraticForms:
    """Return the forms of these spectra."""
    if len(rows) == len(forms.c):
        return forms
    return QuadraticForms._make(part[rows] for part in forms)


@dataclass(frozen=True, eq=False)
class _Detector:
    """What projecting out a detector's continuum needs, for any spectrum."""

    pixels: slice  # among the informative pixels of the model
    linear: Floats  # (p, T), theta and the depth
    nuisances: Floats  # (p, K), orthonormal

    @cached_property
    def products(self) -> Floats:
        """Nuisances times theta and the depth, and times each other, (p, K T + K (K + 1) / 2): for many spectra."""
        first, second, _ = _pairs(self.nuisances.shape[1])
        mixed = (self.nuisances[:, :, None] * self.linear[:, None, :]).reshape(len(self.linear), -1)
        return np.hstack([mixed, self.nuisances[:, first] * self.nuisances[:, second]])

    @cached_property
    def unfold(self) -> Indices:
        """Where the product of two nuisances is among those of distinct pairs, (K, K)."""
        return _pairs(self.nuisances.shape[1])[2]


class FormBuilder:
    """Makes the quadratic forms of spectra for one model.

    Parameters
    ----------
    wavelength
        Shape (P,), Angstrom.
    theta, s2
        Shape (P, T) and (P,); pixels of infinite s2 are left out.
    loadings
        Shape (P, K), of latent variables to project out; default: there are none.
    noise
        Of the coefficients; default: not known.
    marginalize
        Whether the residual continuum is projected out.
    """

    def __init__(
        self,
        wavelength: Floats,
        theta: Floats,
        s2: Floats,
        *,
        loadings: Floats | None = None,
        noise: CoefficientNoise | None = None,
        marginalize: bool,
    ) -> None:
        self.informative = np.isfinite(s2)
        self.s2 = s2[self.informative]
        self.noise = noise
        self.baseline = theta[self.informative, 0]
        columns = theta[:, 1:] if loadings is None else np.hstack([theta[:, 1:], loadings])
        self.n_latent = columns.shape[1] + 1 - theta.shape[1]
        self.theta = np.ascontiguousarray(columns[self.informative])
        self._depth = self.baseline - 1.0  # of the model's baseline: what a featureless spectrum lacks
        self._linear = np.column_stack([self.theta, self._depth])
        self._first, self._second, self._unfold = _pairs(self.theta.shape[1])
        amplitudes = np.empty((len(self.s2), 0)) if noise is None else noise.amplitudes[self.informative]
        self._single = np.column_stack([self._depth**2, amplitudes])
        self.detectors = self._detectors(wavelength[self.informative]) if marginalize else ()

    @cached_property
    def _products(self) -> Floats | None:
        """Products of distinct pairs of columns, and single columns, for many spectra; None where they are too large."""
        if self.theta.shape[0] * len(self._first) * 8 > CACHED_BYTES:
            return None
        return np.hstack([self.theta[:, self._first] * self.theta[:, self._second], self._single])

    @property
    def n_informative(self) -> int:
        """Number of the model's pixels p that carry information."""
        return len(self.s2)

    def build(self, flux: Floats, ivar: Floats, work: Floats) -> QuadraticForms:
        """Quadratic forms of n spectra.

        Parameters
        ----------
        flux, ivar
            Shape (n, p), at the model's informative pixels; finite, ivar 0 where nothing is known.
        work
            Working memory, shape (3, n, p).
        """
        weight, residual, weighted = work
        np.multiply(ivar, self.s2, out=weight)
        weight += 1.0
        np.divide(ivar, weight, out=weight)
        np.subtract(flux, self.baseline, out=residual)
        np.multiply(weight, residual, out=weighted)
        c = np.einsum("np,np->n", weighted, residual)
        quadratic, linear = self._products_with(weight), weighted @ self._linear
        n_pairs = len(self._first)
        a, b = quadratic[:, :n_pairs][:, self._unfold], linear[:, :-1]
        flat = c + 2.0 * linear[:, -1] + quadratic[:, n_pairs]
        known, n_nuisances = ivar != 0.0, np.zeros(len(c), dtype=np.intp)
        for detector in self.detectors:
            part = np.s_[:, detector.pixels]
            products = _products_of_detector(detector, weight[part])
            _project_out(detector, products, weighted[part] @ detector.nuisances, (a, b, c, flat))
            n_nuisances += np.minimum(count_known(known[part]), detector.nuisances.shape[1])
        if self.n_latent:
            a, b, c = _without_latent(a, b, c, a.shape[1] - self.n_latent)
        noise = quadratic[:, n_pairs + 1 :]
        return QuadraticForms(a, b, c, flat, noise, count_known(known), n_nuisances)

    def _products_with(self, weight: Floats) -> Floats:
        """Each distinct element of A, then the sums of weights with single columns, shape (n, (T - 1) T / 2 + 1 + R)."""
        if len(weight) <= FEW or self._products is None:
            return np.stack([self._products_with_one(row) for row in weight]) if len(weight) else self._nothing()
        return np.asarray(weight @ self._products)

    def _products_with_one(self, weight: Floats) -> Floats:
        """The same for one spectrum, shape (p,), from its own product with theta."""
        from scipy.linalg import get_blas_funcs

        symmetric_product = get_blas_funcs("syrk", dtype=np.float64)
        count = self.theta.shape[1]
        root, part = np.sqrt(weight)[:, None], np.empty((min(_BLOCK, len(weight)), count))
        product = np.zeros((count, count), order="F")  # only its upper triangle is filled
        for start in range(0, len(weight), _BLOCK):
            rows = np.multiply(
                self.theta[start : start + _BLOCK], root[start : start + _BLOCK], out=part[: len(weight) - start]
            )
            product = symmetric_product(1.0, rows.T, beta=1.0, c=product, overwrite_c=1)
        return np.concatenate([product[self._first, self._second], weight @ self._single])

    def _nothing(self) -> Floats:
        return np.empty((0, len(self._first) + self._single.shape[1]))

    def _detectors(self, wavelength: Floats) -> tuple[_Detector, ...]:
        pixels = [part for part in detector_pixels(wavelength) if part.stop > part.start]
        return tuple(_detector(part, wavelength[part], self._linear[part]) for part in pixels)


def _detector(pixels: slice, wavelength: Floats, theta: Floats) -> _Detector:
    nuisances, triangle = np.linalg.qr(basis(wavelength).T)
    kept = np.abs(np.diag(triangle)) > GUARD * np.abs(triangle).max()  # fewer pixels than nuisances
    return _Detector(pixels, theta, np.ascontiguousarray(nuisances[:, kept]))


def _products_of_detector(detector: _Detector, weight: Floats) -> Floats:
    """Sums of the weights (n, p) times the products of a detector."""
    if len(weight) > FEW:
        return np.asarray(weight @ detector.products)
    upper = np.triu_indices(detector.nuisances.shape[1])
    result = np.empty((len(weight), detector.products.shape[1]))
    for row, weights in enumerate(weight):
        weighted = (detector.nuisances * weights[:, None]).T
        result[row, : -len(upper[0])] = (weighted @ detector.linear).ravel()
        result[row, -len(upper[0]) :] = (weighted @ detector.nuisances)[upper]
    return result


def _project_out(
    detector: _Detector, products: Floats, moment: Floats, forms: tuple[Floats, Floats, Floats, Floats]
) -> None:
    """Take a detector's nuisances out of A, b, c and the chi-square of no lines, in place.

    `products` are the weights' sums with those of the detector, `moment` is B' W g, shape (n, K).
    """
    a, b, c, flat = forms
    count, columns = detector.nuisances.shape[1], b.shape[1] + 1
    mixed = products[:, : count * columns].reshape(-1, count, columns)
    normal: Floats = products[:, count * columns :][:, detector.unfold]
    diagonal = np.einsum("nkk->nk", normal)
    diagonal += np.maximum(GUARD * diagonal.mean(axis=1), np.finfo(float).tiny)[:, None]
    residual = moment[:, :, None]
    right = np.concatenate([mixed[:, :, :-1], residual, residual + mixed[:, :, -1:]], axis=2)
    unit = np.sqrt(diagonal.mean(axis=1))[:, None, None]
    solved = np.linalg.solve(normal / unit**2, right / unit)
    update = np.swapaxes(right / unit, 1, 2) @ solved
    a -= update[:, :-2, :-2]
    b -= update[:, :-2, -2]
    c -= update[:, -2, -2]
    flat -= update[:, -1, -1]


def _without_latent(a: Floats, b: Floats, c: Floats, terms: int) -> tuple[Floats, Floats, Floats]:
    """Quadratic forms of the first `terms` columns, at the best values of the others under their unit prior."""
    normal = a[:, terms:, terms:] + np.eye(a.shape[1] - terms)
    right = np.concatenate([a[:, terms:, :terms], b[:, terms:, None]], axis=2)
    update = np.swapaxes(right, 1, 2) @ np.linalg.solve(normal, right)
    return a[:, :terms, :terms] - update[:, :-1, :-1], b[:, :terms] - update[:, :-1, -1], c - update[:, -1, -1]


def _pairs(count: int) -> tuple[Indices, Indices, Indices]:
    """Both members of each distinct pair, and where in that list the pair (i, j) is, shape (count, count)."""
    pairs = np.array(list(combinations_with_replacement(range(count), 2)), dtype=np.intp)
    unfold = np.empty((count, count), dtype=np.intp)
    unfold[pairs[:, 0], pairs[:, 1]] = unfold[pairs[:, 1], pairs[:, 0]] = np.arange(len(pairs))
    return pairs[:, 0], pairs[:, 1], unfold
