"""The part of a model's file that holds its validation.

VALIDATION is a table, a row a training star: FOLD, TRUTH, LABELS and COVARIANCE (vectors of L and L * L numbers), CHI_SQ,
N_FREEDOM, UNEXPLAINED, SNR, FLAGS; its header says which options were chosen.  BEYOND (2, L, L) is the covariance beyond
the formal one, and TRIALS a table of the settings that were tried: COMPONENTS, CORRECTED, RATIO.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from apogee_labels.cannon.validation.validation import Trial, Validation

if TYPE_CHECKING:
    from astropy.io import fits

_VECTORS, _NUMBERS, _WHOLE = ("truth", "labels", "covariance"), ("chi_sq", "unexplained", "snr"), ("n_freedom", "flags")


def validation_hdus(validation: Validation) -> list[fits.ImageHDU | fits.BinTableHDU]:
    """Return the HDUs that hold a validation."""
    from astropy.io import fits

    columns = [_column("FOLD", "K", validation.fold)]
    for name in _VECTORS:
        values = getattr(validation, name).reshape(len(validation), -1)
        columns.append(_column(name.upper(), f"{values.shape[1]}D", values))
    columns += [_column(name.upper(), "D", getattr(validation, name)) for name in _NUMBERS]
    columns += [_column(name.upper(), "K", getattr(validation, name)) for name in _WHOLE]
    table = fits.BinTableHDU.from_columns(columns, name="VALIDATION")
    table.header["CORRECT"] = (validation.corrected, "coefficient noise is corrected for")
    table.header["NCOMP"] = (validation.n_components, "latent components")
    hdus = [table, fits.ImageHDU(np.ascontiguousarray(validation.beyond), name="BEYOND")]
    if validation.trials:
        hdus.append(fits.BinTableHDU.from_columns(_columns_of(validation.trials), name="TRIALS"))
    return hdus


def read_validation(hdus: fits.HDUList) -> Validation | None:
    """Return the validation of a model's file; None where there is none."""
    if "VALIDATION" not in hdus:
        return None
    table = hdus["VALIDATION"]
    vectors = {name: np.array(table.data[name.upper()], dtype=np.float64) for name in _VECTORS}
    vectors = {name: values.reshape(len(table.data), -1) for name, values in vectors.items()}
    n_labels = vectors["labels"].shape[1]
    return Validation(
        fold=np.array(table.data["FOLD"], dtype=np.intp),
        truth=vectors["truth"],
        labels=vectors["labels"],
        covariance=vectors["covariance"].reshape(-1, n_labels, n_labels),
        **{name: np.array(table.data[name.upper()], dtype=np.float64) for name in _NUMBERS},
        n_freedom=np.array(table.data["N_FREEDOM"], dtype=np.intp),
        flags=np.array(table.data["FLAGS"], dtype=np.int64),
        beyond=np.array(hdus["BEYOND"].data, dtype=np.float64),
        corrected=bool(table.header["CORRECT"]),
        n_components=int(table.header["NCOMP"]),
        trials=_trials(hdus["TRIALS"].data) if "TRIALS" in hdus else (),
    )


def _columns_of(trials: tuple[Trial, ...]) -> list[fits.Column]:
    ratio = np.array([trial.ratio for trial in trials])
    return [
        _column("COMPONENTS", "K", np.array([trial.n_components for trial in trials])),
        _column("CORRECTED", "L", np.array([trial.corrected for trial in trials])),
        _column("RATIO", f"{ratio.shape[1]}D", ratio),
    ]


def _trials(table: np.recarray) -> tuple[Trial, ...]:
    return tuple(
        Trial(int(count), bool(corrected), tuple(float(value) for value in np.atleast_1d(ratio)))
        for count, corrected, ratio in zip(table["COMPONENTS"], table["CORRECTED"], table["RATIO"], strict=True)
    )


def _column(name: str, kind: str, values: NDArray[np.generic]) -> fits.Column:
    from astropy.io import fits

    return fits.Column(name, kind, array=values)
