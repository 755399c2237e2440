"""Scaling, names of terms, derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.vectorizer import PolynomialVectorizer


@pytest.fixture
def vectorizer() -> PolynomialVectorizer:
    labels = np.random.default_rng(3).normal([4500.0, 2.0], [300.0, 0.5], size=(500, 2))
    return PolynomialVectorizer.fit(("TEFF", "LOGG"), labels, 2)


def test_terms_are_named_in_order(vectorizer: PolynomialVectorizer) -> None:
    assert vectorizer.terms == ("1", "TEFF", "LOGG", "TEFF*TEFF", "TEFF*LOGG", "LOGG*LOGG")
    assert vectorizer.n_terms == 6


def test_the_scale_is_the_central_95_per_cent() -> None:
    labels = np.linspace(0.0, 1000.0, 1001)[:, None]
    vectorizer = PolynomialVectorizer.fit(("TEFF",), labels, 1)
    assert vectorizer.offsets == pytest.approx([500.0])
    assert vectorizer.scales == pytest.approx([950.0])


def test_scaling_is_undone(vectorizer: PolynomialVectorizer) -> None:
    labels = np.array([[4321.0, 1.5], [5000.0, 3.0]])
    np.testing.assert_allclose(vectorizer.unscaled(vectorizer.scaled(labels)), labels, rtol=1e-14)


def test_jacobian_against_differences(vectorizer: PolynomialVectorizer) -> None:
    x, step = np.array([[0.3, -0.7]]), 1e-6
    numerical = [
        (vectorizer.design(x + shift) - vectorizer.design(x - shift))[0] / (2 * step) for shift in step * np.eye(2)
    ]
    np.testing.assert_allclose(vectorizer.jacobian(x)[0], np.transpose(numerical), atol=1e-9)


def test_order_and_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="order: expected 1 or more, got 0"):
        PolynomialVectorizer(("A",), 0, np.zeros(1), np.ones(1))
    with pytest.raises(ValueError, match="expected 1 offsets"):
        PolynomialVectorizer(("A",), 1, np.zeros(2), np.ones(2))
