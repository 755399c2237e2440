"""What the engine answers for many spectra, as the catalogue's rows of one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apogee_labels.catalog.records import LabelValue, ResultRow

if TYPE_CHECKING:
    from apogee_labels.cannon.inference.inference import Inference
    from apogee_labels.core.arrays import Floats


def result_rows(
    inference: Inference, raw_errors: Floats, mjds: Sequence[int | None], first: int
) -> tuple[ResultRow, ...]:
    """Return the rows of one file, whose first row in `inference` is `first`.

    Parameters
    ----------
    inference
        Of all files together.
    raw_errors
        Its formal errors, which it computes whenever it is asked.
    mjds
        Of each row of the file; None for a stack, which has no MJD of its own.
    first
        Place of the file's first row.
    """
    return tuple(
        ResultRow(
            row=row,
            mjd=mjds[row],
            chi_sq=float(inference.chi_sq[index]),
            reduced_chi_sq=float(inference.reduced_chi_sq[index]),
            unexplained=float(inference.unexplained[index]),
            snr=float(inference.snr[index]),
            n_pixels=int(inference.n_pixels[index]),
            converged=bool(inference.converged[index]),
            flags=int(inference.flags[index]),
            n_iterations=int(inference.n_iterations[index]),
            covariance=tuple(map(tuple, inference.covariance[index].tolist())),
            labels=tuple(
                map(
                    LabelValue,
                    inference.label_names,
                    inference.labels[index].tolist(),
                    inference.errors[index].tolist(),
                    raw_errors[index].tolist(),
                )
            ),
        )
        for row, index in enumerate(range(first, first + len(mjds)))
    )
