"""Chi-square of many spectra at many labels, with its derivatives: what the fit of the labels minimises.

Chi-square is a polynomial of degree 2K in the L scaled labels (K the model's order), whose coefficients a spectrum
fixes once.  For 3 labels and K = 2 it has 35, so that a start more costs little; its gradient and the Hessian of Gauss
and Newton, 2 J'AJ, are polynomials too. (The full Hessian converges in fewer steps, but from far away leads to wrong
minima more often.)  :class:`PolynomialObjective` has these analytic derivatives.  With 17 labels chi-square has 5985
coefficients, and :class:`SlopeObjective` gets it and its gradient from A v - b; the Hessian stays a polynomial, of 171.
:class:`NumericalObjective` knows only how to evaluate the terms, and takes J by central differences.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from scipy import sparse

from apogee_labels.cannon.inference.quadratic_forms import QuadraticForms
from apogee_labels.cannon.monomials import Monomials, monomials
from apogee_labels.core.arrays import Floats, Indices

DIFFERENCE = 1e-4
"""Step of the numerical derivatives, in scaled labels; central differences are exact for terms up to order 2."""


MOST_COEFFICIENTS = 500
"""Coefficients of chi-square up to which it is evaluated as a polynomial: 7 labels of order 2 have 330."""

_sparse: Callable[..., sparse.csr_array] = sparse.csr_array  # its constructor has no annotations


class Derivatives(NamedTuple):
    """Value (n, S), gradient (n, S, L) and Hessian (n, S, L, L) of chi-square at S points for each of n spectra."""

    value: Floats
    gradient: Floats
    hessian: Floats


class Objective(Protocol):
    """What :func:`apogee_labels.cannon.inference.optimisation.minimise` minimises."""

    def evaluate(self, x: Floats) -> Derivatives:
        """Chi-square and its derivatives at x, shape (n, S, L)."""

    def take(self, rows: Indices) -> Objective:
        """Return the objective of these spectra only."""


class _Tables(NamedTuple):
    """How the coefficients of chi-square, its gradient and its Hessian follow from the quadratic form."""

    squares: Monomials
    value: sparse.csr_array
    """From the elements of A, ((T - 1)^2,), to the coefficients of chi-square, (U,)."""
    gradient: Indices
    """Shape (G, L): the coefficient of chi-square that a coefficient of the gradient is, times a factor."""
    gradient_factor: Floats


def analytic_objective(forms: QuadraticForms, n_labels: int, order: int) -> Objective:
    """The faster of the objectives with analytic derivatives."""
    few = len(monomials(n_labels, 2 * order)) <= MOST_COEFFICIENTS
    return PolynomialObjective(forms, n_labels, order) if few else SlopeObjective(forms, n_labels, order)


@lru_cache(maxsize=8)
def _tables(n_labels: int, order: int) -> _Tables:
    terms, squares = monomials(n_labels, order), monomials(n_labels, 2 * order)
    fold = squares.products(terms)[1:, 1:].ravel()
    value = _sparse((np.ones(len(fold)), (fold, np.arange(len(fold)))), shape=(len(squares), len(fold)))
    lower = squares.factors[: squares.count(2 * order - 1)]
    index = np.array([[squares.index((*m, k)) for k in range(n_labels)] for m in lower], dtype=np.intp)
    factor = np.array([[m.count(k) + 1.0 for k in range(n_labels)] for m in lower])
    return _Tables(squares, value, index, factor)


@lru_cache(maxsize=8)
def _hessian_table(n_labels: int, order: int) -> sparse.csr_array:
    """From the elements of A to the coefficients of the Hessian, (H L^2,).

    2 J'AJ: for labels k, l and terms s, t, 2 A_st times the product of the terms' derivatives, which is a monomial.
    """
    terms, squares = monomials(n_labels, order), monomials(n_labels, 2 * order)
    index, factor = terms.derivatives()
    size, count = len(terms) - 1, squares.count(2 * order - 2)
    derived = [(t, k) for t in range(1, len(terms)) for k in range(n_labels) if factor[t, k]]
    products = squares.products(terms)
    t, k = np.array(derived, dtype=np.intp).T
    monomial = products[index[t, k][:, None], index[t, k][None, :]]
    target = (monomial * n_labels + k[:, None]) * n_labels + k[None, :]
    source = (t[:, None] - 1) * size + (t[None, :] - 1)
    factors = 2.0 * factor[t, k][:, None] * factor[t, k][None, :]
    shape = (count * n_labels**2, size**2)
    return _sparse((factors.ravel(), (target.ravel(), source.ravel())), shape=shape)


def _hessians(a: Floats, n_labels: int, order: int) -> Floats:
    """Coefficients of the Hessian of n spectra, shape (n, H, L^2), H the monomials up to degree 2K - 2."""
    count = len(a)
    elements = a.reshape(count, a.shape[1] ** 2).T
    coefficients = np.ascontiguousarray((_hessian_table(n_labels, order) @ elements).T)
    return coefficients.reshape(count, len(monomials(n_labels, 2 * order - 2)), n_labels**2)


class PolynomialObjective:
    """Chi-square as a polynomial, with analytic derivatives."""

    def __init__(self, forms: QuadraticForms, n_labels: int, order: int) -> None:
        self._tables = tables = _tables(n_labels, order)
        count = len(forms.c)
        elements = forms.a.reshape(count, forms.a.shape[1] ** 2).T
        coefficients = np.ascontiguousarray((tables.value @ elements).T)
        coefficients[:, 1 : forms.b.shape[1] + 1] -= 2.0 * forms.b
        coefficients[:, 0] += forms.c
        self._value = coefficients[:, :, None]
        self._gradient = coefficients[:, tables.gradient] * tables.gradient_factor
        self._hessian = _hessians(forms.a, n_labels, order)

    def evaluate(self, x: Floats) -> Derivatives:
        """Chi-square and its derivatives at x, shape (n, S, L)."""
        values = np.ascontiguousarray(self._tables.squares.evaluate(x))
        gradient = values[:, :, : self._gradient.shape[1]] @ self._gradient
        hessian = values[:, :, : self._hessian.shape[1]] @ self._hessian
        return Derivatives((values @ self._value)[..., 0], gradient, hessian.reshape(*x.shape, x.shape[-1]))

    def take(self, rows: Indices) -> PolynomialObjective:
        """Return the objective of these spectra only."""
        part = copy(self)
        part._value, part._gradient, part._hessian = self._value[rows], self._gradient[rows], self._hessian[rows]
        return part


class SlopeObjective:
    """Chi-square from the terms, with analytic derivatives."""

    def __init__(self, forms: QuadraticForms, n_labels: int, order: int) -> None:
        self._a, self._b, self._c = forms.a, forms.b, forms.c
        self._terms = terms = monomials(n_labels, order)
        self._squares = monomials(n_labels, 2 * order - 2)
        self._hessian = _hessians(forms.a, n_labels, order)
        index, factor = terms.derivatives()
        self._label, self._term = np.nonzero(factor.T)  # by label: each has some
        self._index, self._factor = index[self._term, self._label], factor[self._term, self._label]
        self._first = np.searchsorted(self._label, np.arange(n_labels))

    def evaluate(self, x: Floats) -> Derivatives:
        """Chi-square and its derivatives at x, shape (n, S, L)."""
        terms = np.ascontiguousarray(self._terms.evaluate(x))
        slope, value = _slope(self._a, self._b, self._c, terms)
        parts = slope[..., self._term - 1] * (2.0 * self._factor * terms[..., self._index])
        squares = terms if self._squares is self._terms else np.ascontiguousarray(self._squares.evaluate(x))
        hessian = squares @ self._hessian
        gradient = np.add.reduceat(parts, self._first, axis=-1)
        return Derivatives(value, gradient, hessian.reshape(*x.shape, x.shape[-1]))

    def take(self, rows: Indices) -> SlopeObjective:
        """Return the objective of these spectra only."""
        part = copy(self)
        part._a, part._b, part._c, part._hessian = self._a[rows], self._b[rows], self._c[rows], self._hessian[rows]
        return part


class NumericalObjective:
    """Chi-square from the terms alone: derivatives by central differences, Hessian without second derivatives."""

    def __init__(self, forms: QuadraticForms, n_labels: int, order: int) -> None:
        self._a, self._b, self._c = forms.a, forms.b, forms.c
        self._terms = monomials(n_labels, order)

    def evaluate(self, x: Floats) -> Derivatives:
        """Chi-square and its derivatives at x, shape (n, S, L)."""
        slope, value = _slope(self._a, self._b, self._c, self._terms.evaluate(x))
        jacobian = np.stack([self._difference(x, label) for label in range(x.shape[-1])], axis=-1)
        hessian = 2.0 * np.swapaxes(jacobian, 2, 3) @ (self._a[:, None] @ jacobian)
        return Derivatives(value, 2.0 * np.einsum("nst,nstl->nsl", slope, jacobian), hessian)

    def take(self, rows: Indices) -> NumericalObjective:
        """Return the objective of these spectra only."""
        part = copy(self)
        part._a, part._b, part._c = self._a[rows], self._b[rows], self._c[rows]
        return part

    def _difference(self, x: Floats, label: int) -> Floats:
        step = np.zeros(x.shape[-1])
        step[label] = DIFFERENCE
        difference = self._terms.evaluate(x + step) - self._terms.evaluate(x - step)
        return np.asarray(difference[..., 1:] / (2.0 * DIFFERENCE))


def _slope(a: Floats, b: Floats, c: Floats, terms: Floats) -> tuple[Floats, Floats]:
    """A v - b without the constant's, shape (n, S, T - 1), and chi-square, shape (n, S), at terms (n, S, T)."""
    v = terms[..., 1:]
    slope = v @ a
    slope -= b[:, None]
    return slope, c[:, None] + np.einsum("nst,nst->ns", v, slope - b[:, None])
