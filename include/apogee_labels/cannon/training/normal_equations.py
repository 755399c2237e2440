"""The normal equations of many pixels that share their stars' terms.

With the terms V (N stars, T terms) and a pixel's weights W, the normal matrix is V' W V and the moment V' W y.  A
normal matrix's elements are sums of the stars' weights times products of two terms; equal products are merged, so that
the matrices of many pixels are one matrix product with the distinct ones (35 instead of 100 for 3 labels, 5985 instead
of 29241 for 17).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from apogee_labels.cannon.monomials import monomials
from apogee_labels.core.arrays import Bools, Floats, Indices


class NormalEquations:
    """Makes normal matrices, moments and leverages from weights.

    Parameters
    ----------
    products
        The distinct products of two terms, shape (N, U); the T terms themselves come first.
    pairs
        Where among them the product of two terms is, shape (T, T).
    """

    def __init__(self, products: Floats, pairs: Indices) -> None:
        self.products, self.pairs = products, pairs

    @classmethod
    def of_labels(cls, scaled: Floats, order: int) -> NormalEquations:
        """All polynomial terms up to `order` of scaled labels, shape (N, L)."""
        squares = monomials(scaled.shape[1], 2 * order)
        return cls(np.ascontiguousarray(squares.evaluate(scaled)), squares.products(monomials(scaled.shape[1], order)))

    @property
    def n_terms(self) -> int:
        """Number of terms T."""
        return len(self.pairs)

    @cached_property
    def design(self) -> Floats:
        """The terms of the stars, shape (N, T)."""
        return np.ascontiguousarray(self.products[:, : self.n_terms])

    def sums(self, weight: Floats) -> Floats:
        """Sums of weights times products, shape (P, U), for weights of shape (P, N)."""
        return np.asarray(weight @ self.products)

    def matrices(self, sums: Floats) -> Floats:
        """Normal matrices, shape (P, T, T), from :meth:`sums`."""
        return np.take(sums, self.pairs, axis=1)

    def leverages(self, inverse: Floats) -> Floats:
        """Each star's v' C v, shape (P, N), for inverse normal matrices C, shape (P, T, T)."""
        order, first = self._folding
        elements = inverse.reshape(len(inverse), self.pairs.size)[:, order]
        return np.asarray(np.add.reduceat(elements, first, axis=1) @ self.products.T)

    def with_scores(self, scores: Floats) -> NormalEquations:
        """Return these with the columns of `scores`, shape (N, K), as further terms."""
        n_terms, count = self.n_terms, scores.shape[1]
        first, second = np.triu_indices(count)
        mixed = (self.design[:, 1:, None] * scores[:, None, :]).reshape(len(scores), -1)
        old = self.products[:, n_terms:]
        products = np.hstack([self.design, scores, old, mixed, scores[:, first] * scores[:, second]])
        pairs = np.empty((n_terms + count, n_terms + count), dtype=np.intp)
        pairs[:n_terms, :n_terms] = self.pairs + count * (self.pairs >= n_terms)
        pairs[0, n_terms:] = n_terms + np.arange(count)
        start = n_terms + count + old.shape[1]
        pairs[1:n_terms, n_terms:] = start + np.arange(mixed.shape[1]).reshape(n_terms - 1, count)
        pairs[n_terms + first, n_terms + second] = start + mixed.shape[1] + np.arange(len(first))
        pairs = np.where(np.tri(len(pairs), k=-1, dtype=bool), pairs.T, pairs)
        return NormalEquations(np.ascontiguousarray(products), pairs)

    def subset(self, terms: Bools) -> NormalEquations:
        """Return the equations of some of the terms, shape (T,), the constant among them."""
        if terms.all():
            return self
        chosen = np.flatnonzero(terms)
        pairs = self.pairs[np.ix_(chosen, chosen)]
        columns = np.concatenate([chosen, np.setdiff1d(pairs, chosen)])
        position = np.zeros(self.products.shape[1], dtype=np.intp)
        position[columns] = np.arange(len(columns))
        return NormalEquations(np.ascontiguousarray(self.products[:, columns]), position[pairs])

    @cached_property
    def _folding(self) -> tuple[Indices, Indices]:
        """An order of the T * T elements in which equal products stand together, and where each product begins."""
        flat = self.pairs.ravel()
        order = np.argsort(flat, kind="stable")
        return order, np.searchsorted(flat[order], np.arange(self.products.shape[1]))
