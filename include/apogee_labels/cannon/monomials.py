"""All products of a few variables up to some degree: the terms of the model, and of its chi-square.

The terms of a model of order K are the monomials up to degree K.  A product of two of them is a monomial up to degree
2K, and equal ones are merged: the normal matrix of 10 terms (3 labels, order 2) has 35 distinct elements instead of
100, that of 171 terms (17 labels) 5985 instead of 29241.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from apogee_labels.core.arrays import Floats, Indices


class Monomials:
    """Every monomial of `n_variables` variables up to degree `order`, by degree, the constant first.

    Parameters
    ----------
    n_variables
        Number of variables L.
    order
        Highest degree K.

    Attributes
    ----------
    factors : tuple of tuple of int
        The variables that each monomial multiplies: ``()`` is 1, ``(0, 0, 2)`` is x0^2 x2.
    """

    def __init__(self, n_variables: int, order: int) -> None:
        self.n_variables, self.order = n_variables, order
        self.factors = tuple(
            factors
            for degree in range(order + 1)
            for factors in combinations_with_replacement(range(n_variables), degree)
        )
        self._position = {factors: position for position, factors in enumerate(self.factors)}
        degrees = np.array([len(factors) for factors in self.factors])
        self._first = np.searchsorted(degrees, np.arange(order + 2))
        self._parent = np.array([self._position[factors[:-1]] for factors in self.factors], dtype=np.intp)
        self._last = np.array([factors[-1] if factors else 0 for factors in self.factors], dtype=np.intp)

    def __len__(self) -> int:
        return len(self.factors)

    def count(self, order: int) -> int:
        """Return how many of the monomials have a degree up to `order`; they come first."""
        return int(self._first[order + 1])

    def evaluate(self, x: Floats) -> Floats:
        """Values of all monomials, shape (..., T), at points x of shape (..., L)."""
        columns = x.transpose(x.ndim - 1, *range(x.ndim - 1))
        values = np.empty((len(self), *x.shape[:-1]))
        values[0] = 1.0
        for degree in range(1, self.order + 1):
            part = slice(self._first[degree], self._first[degree + 1])
            np.multiply(values[self._parent[part]], columns[self._last[part]], out=values[part])
        return values.transpose(*range(1, values.ndim), 0)

    def index(self, factors: tuple[int, ...]) -> int:
        """Position of the monomial that multiplies these variables, in any order."""
        return self._position[tuple(sorted(factors))]

    def products(self, terms: Monomials) -> Indices:
        """Where the product of two of `terms` is among these monomials, shape (T, T)."""
        return np.array([[self.index(a + b) for b in terms.factors] for a in terms.factors], dtype=np.intp)

    def derivatives(self) -> tuple[Indices, Floats]:
        """Index and factor of each monomial's derivative by each variable, shapes (T, L): d m_t = factor m_index."""
        index = np.zeros((len(self), self.n_variables), dtype=np.intp)
        factor = np.zeros((len(self), self.n_variables))
        for position, factors in enumerate(self.factors):
            for variable in set(factors):
                rest = list(factors)
                rest.remove(variable)
                index[position, variable] = self.index(tuple(rest))
                factor[position, variable] = factors.count(variable)
        return index, factor


@lru_cache(maxsize=32)
def monomials(n_variables: int, order: int) -> Monomials:
    """Return the monomials of so many variables up to `order`, made once."""
    return Monomials(n_variables, order)
