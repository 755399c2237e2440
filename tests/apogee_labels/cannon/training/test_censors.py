"""Terms of labels that do not act on a pixel."""

from __future__ import annotations

import numpy as np

from apogee_labels.cannon.monomials import monomials
from apogee_labels.cannon.training.censors import allowed_terms


def test_a_term_is_allowed_where_all_its_labels_act() -> None:
    acts = np.array([[True, True, True], [True, False, True], [False, False, False]])
    allowed = allowed_terms(acts, 2)
    factors = monomials(3, 2).factors
    assert allowed[0].all()
    assert [f for f, kept in zip(factors, allowed[1], strict=True) if kept] == [(), (0,), (2,), (0, 0), (0, 2), (2, 2)]
    assert np.flatnonzero(allowed[2]).tolist() == [0]
