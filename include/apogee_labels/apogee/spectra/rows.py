"""Which rows of an apStar file are combined spectra and which are visits: decided here, once.

===================  =================================================  ============================
rows of the images   written by                                         visits are in
===================  =================================================  ============================
a 1-D array, or 1    DR12 to DR16, one visit                            row 0, which is the visit
2                    one visit; row 1 repeats row 0 or is left zero     row 0
3 and more           2 combined rows, then a row a visit                rows 2, 3, ...
===================  =================================================  ============================
"""

from __future__ import annotations

from apogee_labels.core.errors import BadInputError, Reason

COMBINED_ROW = 0
"""The row with the visits combined pixel by pixel; row 1, where there is one, has one weight a visit."""
N_COMBINED = 2


def arrange_rows(n_rows: int, *, n_described: int, n_declared: int | None) -> tuple[int, ...]:
    """Row of each visit, in the order in which the header describes the visits.

    The rows are what was written; of the header's two counts, the one that agrees with them is believed.

    Parameters
    ----------
    n_rows
        Rows of the images; 1 for a 1-D array.
    n_described
        Visits that the header describes one by one (SFILEn, JDn).
    n_declared
        NVISITS, or None when the header has none.

    Raises
    ------
    BadInputError
        NO_VISITS when none is described or NVISITS is 0; WRONG_LAYOUT when the rows cannot be given to the visits.
    """
    if n_described == 0 or n_declared == 0:
        raise BadInputError(
            Reason.NO_VISITS,
            f"expected one visit or more, got NVISITS = {n_declared} and {n_described} described (SFILE1, JD1, ...).",
        )
    n_visits = n_rows - N_COMBINED if n_rows > N_COMBINED else 1
    if n_visits > n_described or n_visits not in (n_described, n_declared):
        raise BadInputError(
            Reason.WRONG_LAYOUT,
            f"expected a row for each visit (one visit: 1 or 2 rows; else 2 combined rows first), got {n_rows} rows, "
            f"{n_described} described visits and NVISITS = {n_declared}.",
        )
    return tuple(range(N_COMBINED, n_rows)) if n_rows > N_COMBINED else (COMBINED_ROW,)
