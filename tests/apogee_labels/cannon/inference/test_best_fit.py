"""Which start is kept, when another is worth a flag, and the covariance of the labels there."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.inference.best_fit import SIMILAR, BestFit, best_fit, fisher, inverse
from apogee_labels.cannon.inference.optimisation import Minima
from apogee_labels.cannon.inference.quadratic_forms import QuadraticForms
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Floats

LINEAR = PolynomialVectorizer(("TEFF", "LOGG"), 1, np.zeros(2), np.ones(2))


def make_forms(a: Floats) -> QuadraticForms:
    count, size = len(a), a.shape[1]
    numbers = np.zeros(count, dtype=np.intp)
    return QuadraticForms(
        a, np.zeros((count, size)), np.zeros(count), np.zeros(count), np.empty((count, 0)), numbers, numbers
    )


def kept(value: list[float], converged: list[bool], x: list[list[float]]) -> BestFit:
    """The best of the starts of one spectrum whose information is the unit matrix: distances are in errors."""
    minima = Minima(np.array([x]), np.array([value]), np.array([converged]), np.arange(len(x))[None])
    return best_fit(minima, make_forms(np.eye(2)[None]), LINEAR)


APART = [[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]]


def test_the_lowest_chi_square_is_kept() -> None:
    best = kept([30.0, 10.0, 20.0], [True] * 3, APART)
    assert best.x.tolist() == [[4.0, 0.0]]
    assert (best.value.tolist(), best.n_iterations.tolist(), best.converged.tolist()) == ([10.0], [1], [True])


def test_a_start_that_converged_goes_before_one_that_did_not() -> None:
    best = kept([30.0, 10.0, 20.0], [True, False, True], APART)
    assert (best.value.tolist(), best.converged.tolist()) == ([20.0], [True])
    none = kept([30.0, 10.0, 20.0], [False] * 3, APART)
    assert (none.value.tolist(), none.converged.tolist()) == ([10.0], [False])


@pytest.mark.parametrize(
    ("value", "converged", "x", "several"),
    [
        ([10.0, 10.1], [True, True], [[0.0, 0.0], [4.0, 0.0]], True),
        ([10.0, 10.1], [True, True], [[0.0, 0.0], [0.0, -4.0]], True),
        ([10.0, 10.1], [True, True], [[0.0, 0.0], [2.0, 2.0]], False),  # less than three errors away
        ([10.0, 10.0 + SIMILAR + 0.1], [True, True], [[0.0, 0.0], [4.0, 0.0]], False),
        ([10.0, 10.1], [True, False], [[0.0, 0.0], [4.0, 0.0]], False),
        ([10.0], [True], [[0.0, 0.0]], False),
    ],
)
def test_another_minimum_of_like_chi_square_is_told(
    value: list[float], converged: list[bool], x: list[list[float]], several: bool
) -> None:
    assert kept(value, converged, x).several.tolist() == [several]


def test_information_is_that_of_differences() -> None:
    """J'AJ is half the second difference of the quadratic form in the terms' linear parts."""
    rng = np.random.default_rng(1)
    vectorizer = PolynomialVectorizer(("A", "B", "C"), 2, np.zeros(3), np.ones(3))
    roots, x = rng.normal(size=(4, 9, 12)), rng.normal(size=(4, 3))
    forms = make_forms(roots @ np.swapaxes(roots, 1, 2))
    found = fisher(forms, vectorizer.jacobian(x))
    for row in range(4):
        columns = []
        for label in range(3):
            step = 1e-6 * np.eye(3)[label]
            columns.append((vectorizer.design(x[row] + step) - vectorizer.design(x[row] - step))[1:] / 2e-6)
        jacobian = np.stack(columns, axis=1)
        np.testing.assert_allclose(found[row], jacobian.T @ forms.a[row] @ jacobian, rtol=1e-6)


def test_inverse_where_the_labels_are_determined() -> None:
    roots = np.random.default_rng(2).normal(size=(5, 3, 6)) * np.array([1e-4, 1.0, 1e5])[:, None]
    information = roots @ np.swapaxes(roots, 1, 2)
    information[3] = 0.0
    information[4, 2], information[4, :, 2] = 0.0, 0.0
    covariance, usable = inverse(information)
    assert usable.tolist() == [True, True, True, False, False]
    assert np.isnan(covariance[3:]).all()
    unit = covariance[:3] @ information[:3]
    scale = np.array([1e-4, 1.0, 1e5])
    np.testing.assert_allclose(unit * scale[:, None] / scale, np.tile(np.eye(3), (3, 1, 1)), atol=1e-8)


def test_labels_that_change_the_spectrum_alike_are_not_determined() -> None:
    information = np.array([[[1.0, 1.0], [1.0, 1.0 + 1e-14]], [[1.0, 0.999], [0.999, 1.0]]])
    assert inverse(information)[1].tolist() == [False, True]


def test_what_is_not_a_number_is_not_determined() -> None:
    covariance, usable = inverse(np.array([[[np.nan, 0.0], [0.0, 1.0]]]))
    assert (usable.tolist(), np.isnan(covariance).all()) == ([False], True)
