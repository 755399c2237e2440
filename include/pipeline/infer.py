"""Normalised spectra and a model become labels.

Takes identities of normalisations and of a model; done already where a result by that model exists; makes results with
every label, its errors and the full covariance.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.catalog.records import LabelValue, NormalizationRecord, ResultRecord, ResultRow
from include.errors import BadInputError, Reason
from include.identity import short
from include.pipeline.identities import InferenceParameters, result_id

if TYPE_CHECKING:
    from include.cannon.inference import Floats, Inference
    from include.cannon.model import CannonModel
    from include.cannon.normalized import NormalizedSpectrum
    from include.pipeline.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inferred:
    """What :func:`infer_labels` answers: the results' identities, in order, and how many existed already."""

    result_ids: tuple[str, ...]
    n_complete: int


def infer_labels(
    workspace: Workspace, normalization_ids: Sequence[str], model_id: str, parameters: InferenceParameters
) -> Inferred:
    """Infer the labels of normalised files, all rows of all files in one call of the engine.

    Raises
    ------
    BadInputError
        The model is not on record, or its file is not there or not whole.
    OSError
        A product cannot be read now; try again (a normalisation that was deleted is made anew by its own step).
    """
    started = time.perf_counter()
    parts = parameters.as_json()
    identities = {item: result_id(item, model_id, parts) for item in normalization_ids}
    existing = workspace.catalog.results(list(identities.values()))
    due = [item for item, identity in identities.items() if identity not in existing]
    if due:
        _infer(workspace, due, identities, model_id, parameters)
    seconds = time.perf_counter() - started
    log.info(
        "%d file(s) inferred with model %s in %.2f s, %d complete before",
        len(due), short(model_id), seconds, len(identities) - len(due),
    )  # fmt: skip
    return Inferred(tuple(identities.values()), len(identities) - len(due))


def stars_of(workspace: Workspace, normalization_ids: Sequence[str]) -> list[str]:
    """Return the stars whose spectra these normalisations are, in order; unknown ones are left out."""
    records = workspace.catalog.normalizations(list(normalization_ids))
    digests = [records[item].digest for item in normalization_ids if item in records]
    spectra = workspace.catalog.spectra(digests)
    return [spectra[digest].obj for digest in digests if digest in spectra]


def _infer(
    workspace: Workspace, due: list[str], identities: dict[str, str], model_id: str, parameters: InferenceParameters
) -> None:
    import numpy as np

    model = read_model(workspace, model_id)
    records = workspace.catalog.normalizations(due)
    spectra = [_spectrum(workspace, records.get(item), item) for item in due]
    started = time.perf_counter()
    inference = model.infer(
        np.concatenate([spectrum.flux for spectrum in spectra]),
        np.concatenate([spectrum.ivar for spectrum in spectra]),
        n_initialisations=parameters.n_initialisations,
        use_derivatives=parameters.use_derivatives,
        wavelength=spectra[0].wavelength,  # all apStar files share one grid, which may not be the training set's
        starflag=np.concatenate([np.full(len(spectrum.flux), spectrum.starflag) for spectrum in spectra]),
    )
    seconds = (time.perf_counter() - started) / len(due)
    raw_errors, first = inference.raw_errors, 0
    for item, spectrum in zip(due, spectra, strict=True):
        stacked = records[item].parameters["sum_axis"] == 0
        rows = _rows(inference, raw_errors, (None,) * len(spectrum.flux) if stacked else spectrum.mjds, first)
        first += len(rows)
        workspace.catalog.record_result(_record(identities[item], item, model_id, parameters, rows, seconds))


def read_model(workspace: Workspace, model_id: str) -> CannonModel:
    """Read a model that is on record.

    Raises
    ------
    BadInputError
        It is not, or its file is missing or damaged; training it again makes it anew.
    """
    from include.cannon.model import CannonModel

    record = workspace.catalog.model(model_id)
    if record is None:
        raise BadInputError(
            Reason.BAD_MODEL, f"no model {short(model_id)} in the catalogue: train one with the DAG cannon_training."
        )
    return CannonModel.read(workspace.model_path(model_id))  # not record.path: the data folder may have moved


def _spectrum(workspace: Workspace, record: NormalizationRecord | None, identity: str) -> NormalizedSpectrum:
    from include.cannon.normalized import read_normalized

    if record is None:
        raise BadInputError(
            Reason.MISSING, f"no normalisation {short(identity)} in the catalogue: run the file's normalize task first."
        )
    return read_normalized(workspace.normalized_path(identity))


def _rows(inference: Inference, raw_errors: Floats, mjds: Sequence[int | None], first: int) -> tuple[ResultRow, ...]:
    """The catalogue's rows of one file, whose first row in `inference` is `first`; a stack's row has no MJD of its own."""
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
            covariance=tuple(tuple(float(value) for value in line) for line in inference.covariance[index]),
            labels=tuple(
                LabelValue(name, float(value), float(error), float(raw_error))
                for name, value, error, raw_error in zip(
                    inference.label_names,
                    inference.labels[index],
                    inference.errors[index],
                    raw_errors[index],
                    strict=True,
                )
            ),
        )
        for row, index in enumerate(range(first, first + len(mjds)))
    )


def _record(
    identity: str,
    normalization: str,
    model_id: str,
    parameters: InferenceParameters,
    rows: tuple[ResultRow, ...],
    seconds: float,
) -> ResultRecord:
    from include.cannon.inference import METHOD_VERSION

    return ResultRecord(
        id=identity,
        normalization_id=normalization,
        model_id=model_id,
        parameters=parameters.as_json(),
        method_version=METHOD_VERSION,
        seconds=seconds,
        rows=rows,
    )
