"""Chi-square as a polynomial against the quadratic form itself, and both ways to differentiate it."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.inference.objective import NumericalObjective, Objective, PolynomialObjective
from apogee_labels.cannon.inference.quadratic_forms import QuadraticForms
from apogee_labels.cannon.monomials import monomials

KINDS = [PolynomialObjective, NumericalObjective]


def make_forms(n_labels: int, order: int, *, seed: int = 1) -> QuadraticForms:
    rng = np.random.default_rng(seed)
    size = len(monomials(n_labels, order)) - 1
    root = rng.normal(size=(5, size, size + 3))
    return QuadraticForms(
        root @ np.swapaxes(root, 1, 2),
        rng.normal(size=(5, size)),
        rng.uniform(1, 2, 5),
        np.full(5, 1e3),
        np.empty((5, 0)),
        np.full(5, 99),
        np.zeros(5, dtype=np.intp),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n_labels", "order"), [(1, 1), (3, 1), (3, 2), (2, 3)])
def test_value_gradient_and_hessian(kind: type[Objective], n_labels: int, order: int) -> None:
    forms, terms = make_forms(n_labels, order), monomials(n_labels, order)
    x = np.random.default_rng(2).normal(0, 0.5, (5, 4, n_labels))
    got = kind(forms, n_labels, order).evaluate(x)
    index, factor = terms.derivatives()
    for row in range(5):
        for point in range(4):
            values = terms.evaluate(x[row, point])
            jacobian = (values[index] * factor)[1:]
            slope = forms.a[row] @ values[1:] - forms.b[row]
            chi_square = forms.c[row] - 2 * forms.b[row] @ values[1:] + values[1:] @ forms.a[row] @ values[1:]
            assert got.value[row, point] == pytest.approx(chi_square, rel=1e-9)
            np.testing.assert_allclose(got.gradient[row, point], 2 * jacobian.T @ slope, rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(
                got.hessian[row, point], 2 * jacobian.T @ forms.a[row] @ jacobian, rtol=1e-6, atol=1e-6
            )


@pytest.mark.parametrize("kind", KINDS)
def test_some_of_the_spectra(kind: type[Objective]) -> None:
    forms = make_forms(3, 2)
    x = np.random.default_rng(3).normal(size=(5, 2, 3))
    rows = np.array([4, 1])
    objective = kind(forms, 3, 2)
    np.testing.assert_array_equal(objective.take(rows).evaluate(x[rows]).value, objective.evaluate(x).value[rows])
