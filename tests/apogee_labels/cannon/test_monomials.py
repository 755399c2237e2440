"""The monomials against products written out."""

from __future__ import annotations

from math import comb, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apogee_labels.cannon.monomials import Monomials, monomials


@settings(max_examples=30, deadline=None)
@given(n_variables=st.integers(1, 5), order=st.integers(0, 4), seed=st.integers(0, 1000))
def test_values_are_products(n_variables: int, order: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(3, n_variables))
    terms = Monomials(n_variables, order)
    expected = [[prod((point[k] for k in factors), start=1.0) for factors in terms.factors] for point in x]
    np.testing.assert_allclose(terms.evaluate(x), expected, rtol=1e-12)
    assert len(terms) == comb(n_variables + order, order)


@pytest.mark.parametrize(("n_labels", "distinct"), [(3, 35), (17, 5985)])
def test_count_of_distinct_products(n_labels: int, distinct: int) -> None:
    assert len(monomials(n_labels, 4)) == distinct


def test_products_of_terms() -> None:
    x = np.random.default_rng(1).normal(size=3)
    terms, squares = monomials(3, 2), monomials(3, 4)
    values = terms.evaluate(x)
    np.testing.assert_allclose(squares.evaluate(x)[squares.products(terms)], np.outer(values, values))


def test_derivatives_are_those_of_differences() -> None:
    x, step = np.random.default_rng(2).normal(size=3), 1e-6
    terms = monomials(3, 3)
    index, factor = terms.derivatives()
    for k in range(3):
        shift = step * np.eye(3)[k]
        numerical = (terms.evaluate(x + shift) - terms.evaluate(x - shift)) / (2 * step)
        np.testing.assert_allclose((terms.evaluate(x)[index] * factor)[:, k], numerical, atol=1e-7)


def test_terms_up_to_a_degree_come_first() -> None:
    terms = monomials(4, 3)
    assert terms.factors[: terms.count(2)] == monomials(4, 2).factors
