"""Tables of stars whose labels are known: SDSS's allStar, Astra's summaries, or a CSV file.

Columns are found by name, capital and small letters alike, under the spellings that SDSS has used.  Only those that are
needed are taken, so that an allStar file of gigabytes costs no more memory than they do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apogee_labels.apogee.spectra.masks import AspcapFlag
from apogee_labels.apogee.tables.label_columns import (
    FLAG_COLUMNS,
    KEY_COLUMNS,
    LabelTableError,
    Wanted,
    read_csv_columns,
    wanted_columns,
)
from apogee_labels.core.arrays import Floats, Integers, Texts
from apogee_labels.core.identity import digest_file
from apogee_labels.fits.checked import FAULTS

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["LabelTable", "LabelTableError", "read_label_table"]


UNKNOWN = -999.0
"""A label or a signal-to-noise ratio of this value or less stands for one that is not known (-9999 in allStar)."""

_FITS_MAGIC = (b"SIMPLE", b"\x1f\x8b")


@dataclass(frozen=True, eq=False)
class LabelTable:
    """N entries of a table of labels; None for what the table has no column of."""

    stars: Texts
    """Name of each star, shape (N,); empty where the table has none."""
    keys: Mapping[str, Texts]
    """Other keys of the stars' files as texts, each of shape (N,); empty where a row does not say."""
    values: Mapping[str, Floats]
    """Quantities by the name they were asked for, each of shape (N,); NaN where not known."""
    flags: Mapping[str, Integers]
    """Flag of a quantity (FE_H_FLAG, fe_h_flags), where the table has one, shape (N,); 0: nothing is wrong."""
    snr: Floats | None
    """Signal-to-noise ratio, shape (N,), NaN where not known."""
    starflag: Integers | None
    """STARFLAG bits, shape (N,)."""
    aspcapflag: Integers | None
    """ASPCAPFLAG bits, shape (N,); of Astra's summaries STAR_BAD for flag_bad and STAR_WARN for flag_warn."""
    extratarg: Integers | None
    """EXTRATARG bits, shape (N,)."""
    columns: Mapping[str, str]
    """Name of the column that each quantity is from."""
    digest: str = ""
    """SHA-256 of the file."""

    def __len__(self) -> int:
        return len(self.stars)


def read_label_table(path: str | Path, names: Sequence[str]) -> LabelTable:
    """Read the entries of a table.

    Parameters
    ----------
    path
        FITS (every table in it that has the columns is read, one after the other: Astra's summaries have one a telescope),
        or CSV with a header.
    names
        Quantities that are needed, such as TEFF, LOGG, FE_H, M_H.

    Raises
    ------
    LabelTableError
        No table has a column of star names and one of each quantity, or a cell holds what it cannot.
    OSError
        The file is not there, or cannot be read.
    """
    path = Path(path)
    digest = digest_file(path)
    with path.open("rb") as stream:
        is_fits = stream.read(6).startswith(_FITS_MAGIC)
    parts = _fits_parts(path, names) if is_fits else [_csv_part(path, names)]
    return _joined(parts, digest)


class _Part(NamedTuple):
    """The columns of one table."""

    wanted: Wanted
    texts: dict[str, Texts]
    numbers: dict[str, Floats]


def _csv_part(path: Path, names: Sequence[str]) -> _Part:
    wanted, texts, numbers = read_csv_columns(path, lambda there: wanted_columns(path, there, names))
    return _Part(wanted, texts, numbers)


def _fits_parts(path: Path, names: Sequence[str]) -> list[_Part]:
    """Read every table that has the columns; an error when none has."""
    from astropy.io import fits

    parts, errors = [], [LabelTableError(f"{path}: expected a table, found none.")]
    try:
        with fits.HDUList.fromfile(str(path), memmap=True, character_as_bytes=True) as hdus:
            for table in hdus:
                if not isinstance(table, fits.BinTableHDU):
                    continue
                try:
                    wanted = wanted_columns(path, table.columns.names, names)
                except LabelTableError as fault:
                    errors.append(fault)
                    continue
                parts.append(_fits_part(path, table, wanted))
    except LabelTableError:
        raise
    except FAULTS as fault:
        raise OSError(f"{path} cannot be read as a FITS table ({fault}): is it being written?") from fault
    if not parts:
        raise min(errors[1:] or errors, key=lambda error: error.n_missing)  # that of the table that lacks the least
    return parts


def _fits_part(path: Path, table: fits.BinTableHDU, wanted: Wanted) -> _Part:
    data, n_rows = table.data, len(table.data) if table.data is not None else 0
    columns = {name: data.field(name) if n_rows else np.empty(0) for name in (*wanted.texts, *wanted.numbers)}
    for name, values in columns.items():
        if values.ndim != 1 or (name in wanted.numbers and values.dtype.kind not in "fiub"):
            got = f"shape {values.shape} of {values.dtype}"
            raise LabelTableError(f"{path}: expected one value a row in the column {name}, got {got}.")
    nulls = {column.name: column.null for column in table.columns if column.null not in (None, "")}
    texts = {name: _text(columns[name]) for name in wanted.texts}
    numbers = {name: _number(columns[name], nulls.get(name)) for name in wanted.numbers}
    for column in table.columns:
        del column.array  # or astropy copies every column, the wide ones too, when it closes the file
    return _Part(wanted, texts, numbers)


def _number(values: NDArray[Any], null: int | None) -> Floats:
    """Give a copy as floats, so that nothing keeps the file open: integers of up to 53 bits stay what they are."""
    numbers = np.array(values, dtype=np.float64)
    if null is not None and values.dtype.kind in "iu":
        numbers[np.asarray(values) == null] = np.nan
    return numbers


def _text(values: NDArray[Any]) -> Texts:
    kind = values.dtype.kind
    if kind in "iu":
        return np.array(values).astype(np.str_)
    if kind == "S":
        return np.char.strip(np.char.decode(np.array(values), "ascii", "replace"))
    return np.char.strip(np.array(values).astype(np.str_))


def _joined(parts: Sequence[_Part], digest: str) -> LabelTable:
    """Put the tables of a file below one another; what only some of them have is not known of the others."""
    first = parts[0].wanted

    def numbers(kind: str, key: str) -> Floats | None:
        have = [getattr(part.wanted, kind).get(key) for part in parts]
        if not any(have):
            return None
        lengths = [len(part.texts[part.wanted.stars[0]]) for part in parts]
        return np.concatenate(
            [part.numbers[name] if name else np.full(length, np.nan)
             for part, name, length in zip(parts, have, lengths, strict=True)]
        )  # fmt: skip

    quality = {kind: _integers(numbers("quality", kind)) for kind in FLAG_COLUMNS if kind != "snr"}
    snr = numbers("quality", "snr")
    flags = {name: _integers(numbers("flags", name)) for name in first.values}
    return LabelTable(
        stars=np.concatenate([_coalesced([part.texts[name] for name in part.wanted.stars]) for part in parts]),
        keys={key: _keys(parts, key) for key in KEY_COLUMNS if any(key in part.wanted.keys for part in parts)},
        values={name: _known(values) for name in first.values if (values := numbers("values", name)) is not None},
        flags={name: flag for name, flag in flags.items() if flag is not None},
        snr=None if snr is None else _known(snr),
        starflag=quality["starflag"],
        aspcapflag=_aspcapflag(quality["aspcapflag"], quality["flag_bad"], quality["flag_warn"]),
        extratarg=quality["extratarg"],
        columns=dict(first.values),
        digest=digest,
    )


def _keys(parts: Sequence[_Part], key: str) -> Texts:
    columns = [(part.texts.get(part.wanted.keys.get(key, "")), len(part.texts[part.wanted.stars[0]])) for part in parts]
    return np.concatenate([np.full(length, "") if column is None else column for column, length in columns])


def _coalesced(columns: Sequence[Texts]) -> Texts:
    result = columns[0]
    for column in columns[1:]:
        result = np.where(result == "", column, result)
    return result


def _known(values: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(values) & (values > UNKNOWN), values, np.nan)


def _integers(values: Floats | None) -> Integers | None:
    return None if values is None else np.where(np.isfinite(values), values, 0.0).astype(np.int64)


def _aspcapflag(flag: Integers | None, bad: Integers | None, warn: Integers | None) -> Integers | None:
    """Give the flag, or what Astra says in its place."""
    if flag is not None or (bad is None and warn is None):
        return flag
    bits = ((bad, AspcapFlag.STAR_BAD), (warn, AspcapFlag.STAR_WARN))
    return np.asarray(sum(np.where(each != 0, int(bit), 0) for each, bit in bits if each is not None), dtype=np.int64)
