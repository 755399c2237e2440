"""Labels and terms that a model cannot be trained on."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.training.checks import check_labels, check_measured, check_names, check_terms
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.errors import BadInputError

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


@pytest.mark.parametrize(("value", "count"), [(-9999.0, 1), (-9999.0, 40), (1e6, 1)])
def test_labels_that_stand_for_unknown_ones(value: float, count: int) -> None:
    values = np.random.default_rng(5).normal([4500.0, 2.0], [300.0, 0.5], (200, 2))
    check_measured(values, ("TEFF", "LOGG"))
    values[7 : 7 + count, 1] = value
    with pytest.raises(BadInputError, match=f"LOGG of row 7 is .*leave stars .* out \\({count} of 200\\)"):
        check_measured(values, ("TEFF", "LOGG"))


@pytest.mark.parametrize("name", ["TEFF ", " TEFF", "", "a\nb", "alpha\u03b1", "x" * 41, "TEFF*LOGG"])
def test_names_that_a_file_would_not_keep(name: str) -> None:
    with pytest.raises(BadInputError, match="label names: expected"):
        check_names(("LOGG", name))


def test_terms_that_are_hardly_told_apart() -> None:
    rng = np.random.default_rng(6)
    teff = rng.normal(size=300)
    for apart, told in ((1e-2, True), (1e-6, False)):
        values = np.column_stack([teff, teff + apart * rng.normal(size=300)])
        vectorizer = PolynomialVectorizer.fit(("A", "B"), values, 1)
        if told:
            check_terms(vectorizer, values, np.ones(300, dtype=bool))
        else:
            with pytest.raises(BadInputError, match="not independent"):
                check_terms(vectorizer, values, np.ones(300, dtype=bool))
