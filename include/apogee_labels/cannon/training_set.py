"""Training sets: spectra of stars whose labels are known, and the files that they come in.

Two formats are read and written: the tutorial's pickle (a dict of ``wavelength`` (P,), ``flux`` and ``ivar`` (N, P),
``labels`` (L, N) and ``label_names`` (L,)), without ever running code from it, and ``.npz`` with the same names.  What
a file is, its content tells, not its name.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from apogee_labels.cannon.bad_pixels import HUGE, unmasked
from apogee_labels.cannon.io.safe_pickle import load_arrays
from apogee_labels.cannon.training.checks import check_names, check_shapes, check_stars, check_values
from apogee_labels.core.arrays import Floats
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.files import atomic_write
from apogee_labels.core.identity import digest_bytes, digest_of

Provenance = Mapping[str, str | int | float]

PICKLE_SUFFIXES = (".pkl", ".pickle")
NEGLIGIBLE = 1e-6
"""Share of the median positive inverse variance of a star below which that of a pixel counts as 0: a bad pixel, which
older training sets store with an inverse variance of 1e-12 or an error of 200."""

_NUMPY = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY")  # archives, empty ones, and a bare array
_REQUIRED = ("wavelength", "flux", "ivar", "labels", "label_names")


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Normalised spectra of N stars on one grid of P pixels, and their L labels.

    Parameters
    ----------
    wavelength
        Shape (P,), vacuum Angstrom, ascending.
    flux
        Shape (N, P), continuum-normalised; where ``ivar`` is 0 it may be anything, and 1 takes the place of what is not
        finite, or huge.
    ivar
        Shape (N, P), inverse variance of the flux; 0 where nothing is known, and where an array is masked.  What is below
        ``NEGLIGIBLE`` of the star's median becomes 0.
    labels
        Shape (N, L), a row a star (in the files it is a row a label).
    label_names
        The L names, all different.
    digest
        SHA-256 of the file's bytes; of the arrays' bytes when the set was made in memory.
    provenance
        What the set was made from, as its maker wrote it; empty in the tutorial's pickle.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: the parts do not fit together, a value is not finite, an inverse variance is negative, or
        two stars are the same.  The message names the row, pixel or label (all counted from 0).
    """

    wavelength: Floats
    flux: Floats
    ivar: Floats
    labels: Floats
    label_names: tuple[str, ...]
    digest: str = ""
    provenance: Provenance = field(default_factory=dict)

    def __post_init__(self) -> None:
        flux, ivar = unmasked(self.flux, self.ivar)
        labels = np.ma.filled(np.ma.asarray(self.labels, dtype=np.float64), np.nan)  # a copy: models keep it
        for name, values in (("wavelength", self.wavelength), ("flux", flux), ("ivar", ivar), ("labels", labels)):
            object.__setattr__(self, name, np.ascontiguousarray(values, dtype=np.float64))
        object.__setattr__(self, "label_names", tuple(self.label_names))
        check_names(self.label_names)
        check_shapes(self.wavelength, self.flux, self.ivar, self.labels, self.label_names)
        object.__setattr__(self, "ivar", _without_negligible(self.ivar))
        check_values(self.wavelength, self.flux, self.ivar, self.labels, self.label_names)
        check_stars(self.flux, self.labels)
        object.__setattr__(self, "flux", _without_nonfinite(self.flux, self.ivar))
        if not self.digest:
            object.__setattr__(self, "digest", self._digest_of_arrays())

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def read(cls, path: str | Path) -> TrainingSet:
        """Read a training set: ``.npz`` or the tutorial's pickle, whatever its name.

        Raises
        ------
        BadInputError
            ``BAD_TRAINING_SET``: it cannot be read, would run code, or does not hold together.
        OSError
            The file is not there or cannot be read.
        """
        path = Path(path)
        content = path.read_bytes()
        parts = _read_npz(path, content) if content.startswith(_NUMPY) else load_arrays(content, name=str(path))
        missing = [name for name in _REQUIRED if name not in parts]
        if missing:
            raise _bad(path, f"expected {', '.join(_REQUIRED)}, lacks {', '.join(missing)}")
        try:
            return cls._of_parts(parts, digest_bytes(content))
        except BadInputError as fault:
            raise BadInputError(fault.reason, f"{path}: {fault.message}") from None

    @classmethod
    def _of_parts(cls, parts: Mapping[str, object], digest: str) -> TrainingSet:
        arrays = {name: _numbers(name, parts[name]) for name in ("wavelength", "flux", "ivar", "labels")}
        names = _texts(parts["label_names"])
        if arrays["labels"].ndim != 2 or len(arrays["labels"]) != len(names):
            shape = arrays["labels"].shape
            message = (
                f"labels: expected shape ({len(names)}, stars), a row for each of {', '.join(names)}, got {shape}."
            )
            raise BadInputError(Reason.BAD_TRAINING_SET, message)
        arrays["labels"] = arrays["labels"].T
        return cls(**arrays, label_names=names, digest=digest, provenance=_provenance(parts.get("provenance")))

    def write(self, path: str | Path) -> None:
        """Write the set, as ``.npz`` or as the tutorial's pickle, by the name's ending; atomically.

        Raises
        ------
        ValueError
            The name ends in neither.
        OSError
            It cannot be written.
        """
        path = Path(path)
        if path.suffix not in (*PICKLE_SUFFIXES, ".npz"):
            raise ValueError(f"{path}: expected a name that ends in .npz, {' or '.join(PICKLE_SUFFIXES)}.")
        arrays = {"wavelength": self.wavelength, "flux": self.flux, "ivar": self.ivar, "labels": self.labels.T.copy()}
        provenance = json.dumps(dict(self.provenance), sort_keys=True)
        with atomic_write(path) as temporary, temporary.open("wb") as stream:
            if path.suffix == ".npz":
                names = np.array(self.label_names, dtype=np.str_)
                np.savez(stream, allow_pickle=False, **arrays, label_names=names, provenance=np.array(provenance))
            else:
                pickle.dump({**arrays, "label_names": self.label_names, "provenance": provenance}, stream, protocol=4)

    def select(self, label_names: Sequence[str]) -> TrainingSet:
        """Return the set with these labels only, in this order; the digest stays that of the whole content.

        Raises
        ------
        BadInputError
            ``BAD_TRAINING_SET``: a label is not there, or is asked for twice.
        """
        names = (label_names,) if isinstance(label_names, str) else tuple(label_names)
        unknown = [name for name in names if name not in self.label_names]
        if unknown or not names:
            known = ", ".join(self.label_names)
            message = f"label names: expected some of {known}, got {', '.join(unknown) or 'none'}."
            raise BadInputError(Reason.BAD_TRAINING_SET, message)
        if names == self.label_names:
            return self
        columns = [self.label_names.index(name) for name in names]
        return replace(self, labels=self.labels[:, columns], label_names=names)

    def with_spectra(self) -> TrainingSet:
        """Return the set without the stars that have no pixel with weight; the digest stays that of the whole content."""
        seen = np.asarray(self.ivar.any(axis=1))
        if seen.all() or not seen.any():
            return self
        return replace(self, flux=self.flux[seen], ivar=self.ivar[seen], labels=self.labels[seen])

    def _digest_of_arrays(self) -> str:
        arrays = (self.wavelength, self.flux, self.ivar, self.labels)
        parts = [digest_bytes(array.data.cast("B")) for array in arrays]
        return digest_of(arrays=parts, shape=list(self.flux.shape), label_names=list(self.label_names))


def _without_nonfinite(flux: Floats, ivar: Floats) -> Floats:
    """Flux with 1 for what is not finite, or huge: such a pixel has no weight, but 0 times NaN would be NaN."""
    if flux.min() >= -HUGE and flux.max() <= HUGE:
        return flux
    with np.errstate(invalid="ignore"):
        return np.where((np.abs(flux) <= HUGE) | (ivar > 0.0), flux, 1.0)


def _without_negligible(ivar: Floats) -> Floats:
    """Inverse variances with 0 for what is negligible beside the star's median: it would count as a star with weight."""
    result = ivar
    for row, weights in enumerate(ivar):
        positive = weights[weights > 0]
        negligible = (weights > 0) & (weights < NEGLIGIBLE * np.median(positive)) if len(positive) else None
        if negligible is not None and negligible.any():
            result = ivar.copy() if result is ivar else result  # the caller's array stays as it is
            result[row, negligible] = 0.0
    return result


def _read_npz(path: Path, content: bytes) -> dict[str, object]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError) as fault:
        raise _bad(path, f"expected an .npz file of plain arrays ({fault})") from fault
    except TypeError:  # np.load of a bare .npy gives an array, which is no context
        raise _bad(path, "expected an .npz file of named arrays, got one array") from None


def _numbers(name: str, value: object) -> Floats:
    array = value if isinstance(value, np.ndarray) else None
    if array is None and isinstance(value, list | tuple):
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError):
            array = None
    if array is None or array.dtype.kind not in "fiu":
        got = type(value).__name__ if array is None else f"an array of {array.dtype}"
        raise BadInputError(Reason.BAD_TRAINING_SET, f"{name}: expected an array of numbers, got {got}.")
    return np.asarray(array, dtype=np.float64)


def _texts(value: object) -> tuple[str, ...]:
    items = value.ravel().tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str | bytes) for item in items):
        raise BadInputError(Reason.BAD_TRAINING_SET, "label_names: expected a tuple, list or array of names.")
    return tuple(item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in items)


def _provenance(value: object) -> Provenance:
    text = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    try:
        parsed = json.loads(text) if isinstance(text, str) else {}
    except json.JSONDecodeError:
        parsed = {}
    if not isinstance(parsed, dict):
        return {}
    return {name: item for name, item in parsed.items() if isinstance(item, str | int | float)}


def _bad(path: Path, message: str) -> BadInputError:
    return BadInputError(Reason.BAD_TRAINING_SET, f"training set {path}: {message}.")
