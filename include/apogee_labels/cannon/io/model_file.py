"""The file of a model: FITS, checked as it is read, so that nothing in it is ever run.

HDU 0 has the provenance in its header (``HIERARCH MODEL name``), as far as it fits; the table METADATA has it all, as JSON.
THETA (P, T) and S2 (P,) are images of float64,
WAVELENGTH (P,) in Angstrom, TRAINING (N, L) the labels of the training stars, LOADINGS (P, K) of the latent variables
where there are any; LABELS and TERMS are tables, a row a label (name, offset, scale) and a row a term.  The noise of the
coefficients, where it is known, is NOISE_AMPLITUDES (P, R) and NOISE_MODES (R, T, T).  Every HDU has CHECKSUM and DATASUM.

What validation found: VALIDATION is a table, a row a training star: FOLD, TRUTH, LABELS and COVARIANCE (vectors of L and
L * L numbers), CHI_SQ, N_FREEDOM, UNEXPLAINED, SNR, FLAGS; its header says which options were chosen.  BEYOND (2, L, L) is
the covariance beyond the formal one, and TRIALS a table of the settings that were tried: COMPONENTS, CORRECTED, RATIO.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from apogee_labels.cannon.io.model_parts import ModelParts, fault_in
from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.cannon.validation.validation import Trial, Validation
from apogee_labels.core.arrays import Floats
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.files import atomic_write
from apogee_labels.fits.checked import read_checked

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.io.fits.header import Header

FORMAT = "CANNON MODEL 3"
"""What ``MODELFMT`` in the primary header says."""

_IMAGES = ("THETA", "S2", "WAVELENGTH", "TRAINING")
_NOISE = ("NOISE_AMPLITUDES", "NOISE_MODES")
_UNITS = {"WAVELENGTH": "Angstrom"}
_KEYWORD = re.compile("[A-Za-z0-9_]{1,40}")
_VECTORS, _NUMBERS, _WHOLE = ("truth", "labels", "covariance"), ("chi_sq", "unexplained", "snr"), ("n_freedom", "flags")
_LARGEST_INTEGER = (1 << 63) - 1


def write_parts(path: str | Path, parts: ModelParts, *, terms: tuple[str, ...]) -> None:
    """Write a model file, atomically.  The same parts give the same bytes.

    Raises
    ------
    ValueError
        FITS does not keep the name of a label or of a term as it is; nothing is written.
    OSError
        It cannot be written.
    """
    from astropy.io import fits

    for name in (*parts.label_names, *terms):
        if not name or name != name.strip() or not name.isprintable():
            raise ValueError(f"label names: expected printable text without blanks around it, got {name!r}.")
    parts = parts._replace(metadata={name: _plain(value) for name, value in parts.metadata.items()})
    arrays = zip(_IMAGES, (parts.theta, parts.s2, parts.wavelength, parts.training_labels), strict=True)
    labels = [
        _texts("NAME", parts.label_names),
        _column("OFFSET", "D", parts.offsets),
        _column("SCALE", "D", parts.scales),
    ]
    product = fits.HDUList([fits.PrimaryHDU(header=_header(parts))])
    product.extend([_image(name, array) for name, array in arrays])
    if parts.loadings.size:  # FITS has no axis of length 0
        product.append(_image("LOADINGS", parts.loadings))
    if parts.noise is not None:
        product.extend(
            [_image(*item) for item in zip(_NOISE, (parts.noise.amplitudes, parts.noise.modes), strict=True)]
        )
    if parts.validation is not None:
        product.extend(validation_hdus(parts.validation))
    product.append(fits.BinTableHDU.from_columns(labels, name="LABELS"))
    product.append(fits.BinTableHDU.from_columns([_texts("TERM", terms)], name="TERMS"))
    metadata = json.dumps(parts.metadata, sort_keys=True)
    product.append(fits.BinTableHDU.from_columns([_texts("JSON", (metadata,))], name="METADATA"))
    product.update_extend()  # writeto() would add EXTEND after the sum of the header was taken
    for hdu in product:
        hdu.add_datasum(when="sum of the data")
        hdu.add_checksum(when="sum of the HDU", override_datasum=True)
    with atomic_write(path) as temporary:
        product.writeto(temporary, overwrite=True)


def read_parts(path: str | Path) -> ModelParts:
    """Read a model file.

    Raises
    ------
    BadInputError
        ``BAD_MODEL``: no FITS, cut short, a checksum that does not fit, or not the parts of a model.
    OSError
        The file is not there or cannot be read.
    """
    return read_checked(path, lambda hdus: _parse(path, hdus), lambda _, what: _bad(path, what))


def _header(parts: ModelParts) -> Header:
    from astropy.io.fits.header import Header

    header = Header()
    header["MODELFMT"] = (FORMAT, "format of this file")
    header["ORDER"] = (parts.order, "degree of the polynomial")
    for name, value in parts.metadata.items():
        if _KEYWORD.fullmatch(name):
            header[f"HIERARCH MODEL {name.upper()}"] = _printable(value)
    return header


def _plain(value: str | float | bool | np.generic) -> str | int | float | bool:
    """A scalar of numpy as the number of Python that it is."""
    plain: str | int | float | bool = value.item() if isinstance(value, np.generic) else value
    return plain


def _printable(value: str | float | bool) -> str | int | float | bool:
    """Values as headers take them, long texts cut: the METADATA table has them in full."""
    if np.isfinite(value) if isinstance(value, float) else isinstance(value, int) and abs(value) <= _LARGEST_INTEGER:
        return value
    text = str(value).encode("ascii", "replace").decode()
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= 64 else f"{text[:37]}..."


def _image(name: str, array: Floats) -> fits.ImageHDU:
    from astropy.io import fits

    hdu = fits.ImageHDU(np.ascontiguousarray(array, dtype=np.float64), name=name)
    if name in _UNITS:
        hdu.header["BUNIT"] = _UNITS[name]
    return hdu


def _texts(name: str, values: tuple[str, ...]) -> fits.Column:
    from astropy.io import fits

    encoded = np.array([value.encode() for value in values])
    return fits.Column(name, f"{encoded.dtype.itemsize}A", array=encoded)


def _parse(path: str | Path, hdus: fits.HDUList) -> ModelParts:
    header = hdus[0].header
    if header.get("MODELFMT") != FORMAT:
        raise _bad(path, f"MODELFMT {header.get('MODELFMT')!r} where {FORMAT!r} was expected")
    theta, s2, wavelength, training = (np.array(hdus[name].data, dtype=np.float64) for name in _IMAGES)
    loadings = hdus["LOADINGS"].data if "LOADINGS" in hdus else np.empty((len(wavelength), 0))
    table = hdus["LABELS"].data
    parts = ModelParts(
        wavelength=wavelength,
        theta=theta,
        s2=s2,
        training_labels=training,
        label_names=tuple(_text(table["NAME"][row]) for row in range(len(table))),
        order=int(header["ORDER"]),
        offsets=np.array(table["OFFSET"], dtype=np.float64),
        scales=np.array(table["SCALE"], dtype=np.float64),
        metadata=json.loads(_text(hdus["METADATA"].data["JSON"][0])),
        loadings=np.array(loadings, dtype=np.float64),
        noise=_noise(hdus),
        validation=read_validation(hdus),
    )
    fault = fault_in(parts)
    if fault is not None:
        raise _bad(path, fault)
    return parts


def _noise(hdus: fits.HDUList) -> CoefficientNoise | None:
    if not any(name in hdus for name in _NOISE):
        return None
    return CoefficientNoise(*(np.array(hdus[name].data, dtype=np.float64) for name in _NOISE))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _bad(path: str | Path, what: str) -> BadInputError:
    return BadInputError(Reason.BAD_MODEL, f"{path}: expected a whole model file, found {what}; train it again.")


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
        hdus.append(fits.BinTableHDU.from_columns(_trial_columns(validation.trials), name="TRIALS"))
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


def _trial_columns(trials: tuple[Trial, ...]) -> list[fits.Column]:
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
