"""Which rows are visits, for every count of rows and visits that files have been seen with."""

from __future__ import annotations

import pytest

from apogee_labels.apogee.spectra.rows import arrange_rows
from apogee_labels.core.errors import BadInputError, Reason


@pytest.mark.parametrize(
    ("n_rows", "n_described", "n_declared", "rows"),
    [
        (1, 1, 1, (0,)),
        (1, 1, None, (0,)),
        (2, 1, 1, (0,)),
        (3, 1, 1, (2,)),
        (4, 2, 2, (2, 3)),
        (14, 12, 12, tuple(range(2, 14))),
        (5, 3, 2, (2, 3, 4)),  # NVISITS is wrong, the description fits
        (4, 3, 2, (2, 3)),  # a visit is described that was not written
        (1, 2, 1, (0,)),
    ],
)
def test_rows_of_visits(n_rows: int, n_described: int, n_declared: int | None, rows: tuple[int, ...]) -> None:
    assert arrange_rows(n_rows, n_described=n_described, n_declared=n_declared) == rows


@pytest.mark.parametrize(
    ("n_rows", "n_described", "n_declared"),
    [(1, 2, 2), (2, 2, 2), (2, 2, None), (4, 3, 3), (4, 1, 2), (5, 2, 2), (5, 2, 3), (3, 2, None)],
)
def test_counts_that_cannot_be_reconciled(n_rows: int, n_described: int, n_declared: int | None) -> None:
    with pytest.raises(BadInputError, match=f"got {n_rows} rows, {n_described} described") as caught:
        arrange_rows(n_rows, n_described=n_described, n_declared=n_declared)
    assert caught.value.reason is Reason.WRONG_LAYOUT


@pytest.mark.parametrize(("n_described", "n_declared"), [(0, None), (0, 0), (0, 2), (2, 0)])
def test_there_is_no_visit(n_described: int, n_declared: int | None) -> None:
    with pytest.raises(BadInputError) as caught:
        arrange_rows(4, n_described=n_described, n_declared=n_declared)
    assert caught.value.reason is Reason.NO_VISITS
