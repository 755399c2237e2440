"""Normal matrices and leverages from merged products against sums over the stars."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.training.normal_equations import NormalEquations
from apogee_labels.core.arrays import Floats


def make(kind: str) -> tuple[NormalEquations, Floats]:
    """Equations of 40 stars, and their terms."""
    rng = np.random.default_rng(41)
    equations, scores = NormalEquations.of_labels(rng.normal(size=(40, 3)), 2), rng.normal(size=(40, 2))
    design, chosen = equations.design, np.isin(np.arange(10), [0, 2, 5, 9])
    if kind == "subset":
        return equations.subset(chosen), design[:, chosen]
    if kind == "scores":
        return equations.with_scores(scores), np.hstack([design, scores])
    if kind == "both":
        both = np.append(chosen, [True, True])
        return equations.with_scores(scores).subset(both), np.hstack([design[:, chosen], scores])
    return equations, design


@pytest.mark.parametrize("kind", ["labels", "subset", "scores", "both"])
def test_matrices_and_leverages_are_those_of_the_terms(kind: str) -> None:
    equations, design = make(kind)
    weight = np.random.default_rng(42).random((5, 40))
    np.testing.assert_array_equal(equations.design, design)
    normal = equations.matrices(equations.sums(weight))
    np.testing.assert_allclose(normal, np.einsum("pn,ns,nt->pst", weight, design, design), rtol=1e-10, atol=1e-10)
    inverse = np.linalg.inv(normal)
    expected = np.einsum("ns,pst,nt->pn", design, inverse, design)
    np.testing.assert_allclose(equations.leverages(inverse), expected, rtol=1e-7, atol=1e-10)


def test_equal_products_are_merged() -> None:
    assert make("labels")[0].products.shape == (40, 35)
    assert make("subset")[0].products.shape[1] <= 10


def test_all_terms_need_no_copy() -> None:
    equations = make("labels")[0]
    assert equations.subset(np.ones(10, dtype=bool)) is equations
