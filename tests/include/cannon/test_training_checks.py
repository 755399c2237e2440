"""Labels and terms that a model cannot be trained on."""

from __future__ import annotations

import numpy as np
import pytest

from include.cannon.training_checks import check_labels, check_terms
from include.cannon.vectorizer import PolynomialVectorizer
from include.errors import BadInputError

NAMES = ("TEFF", "LOGG", "FE_H")


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(1).normal([4500, 2, 0], [300, 0.5, 0.2], (50, 3))


def test_good_labels_pass(labels: np.ndarray) -> None:
    check_labels(labels, NAMES)
    check_terms(PolynomialVectorizer.fit(NAMES, labels, 2), labels, np.ones(50, dtype=bool))


def test_a_constant_label_is_named(labels: np.ndarray) -> None:
    labels[:, 1] = 2.0
    labels[0, 1] = 2.5  # one star does not make it vary
    with pytest.raises(BadInputError, match="label LOGG is 2 for nearly all stars"):
        check_labels(labels, NAMES)


def test_collinear_labels_are_named(labels: np.ndarray) -> None:
    labels[:, 2] = 0.001 * labels[:, 0] + 3
    with pytest.raises(BadInputError, match="labels TEFF, FE_H are collinear over the 50 stars"):
        check_labels(labels, NAMES)


def test_too_few_stars_for_the_terms(labels: np.ndarray) -> None:
    vectorizer = PolynomialVectorizer.fit(NAMES, labels, 2)
    with pytest.raises(BadInputError, match=r"more stars with a spectrum than the 10 terms .* got 10 of 50"):
        check_terms(vectorizer, labels, np.arange(50) < 10)


def test_a_label_of_two_values_has_no_square(labels: np.ndarray) -> None:
    labels[:, 1] = np.arange(50) % 2
    vectorizer = PolynomialVectorizer.fit(NAMES, labels, 2)
    with pytest.raises(BadInputError, match=r"LOGG\*LOGG are not independent"):
        check_terms(vectorizer, labels, np.ones(50, dtype=bool))
