"""Which columns of a table of labels are needed, under the names that SDSS has given them, and those of a CSV file.

A CSV file is read line by line: it takes no more memory than the columns that are needed.
"""

from __future__ import annotations

import csv
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apogee_labels.core.arrays import Floats, Texts
from apogee_labels.core.labels import label_of

STAR_COLUMNS = ("APOGEE_ID", "OBJ", "OBJID", "SDSS4_APOGEE_ID")
"""Columns with the star's name as its file has it; of several the first that says something counts, row by row."""

KEY_COLUMNS = {
    "telescope": ("TELESCOPE",),
    "field": ("FIELD",),
    "healpix": ("HEALPIX",),
    "release": ("RELEASE",),
    "apred": ("APRED",),
}
"""Columns with the other keys of a star's file, by key."""

FLAG_COLUMNS = {
    "snr": ("SNR",),
    "starflag": ("STARFLAG", "SPECTRUM_FLAGS"),
    "aspcapflag": ("ASPCAPFLAG",),
    "flag_bad": ("FLAG_BAD",),
    "flag_warn": ("FLAG_WARN",),
    "extratarg": ("EXTRATARG",),
}
"""Columns that tell how good an entry is."""

NOTHING = frozenset({"", "--", "nan", "null", "none", "masked", "n/a"})
"""How a cell says that it does not know, in small letters."""
_WORDS = {"true": 1.0, "false": 0.0}
_SHOWN = 20
"""Columns that an error names."""


class LabelTableError(ValueError):
    """The table does not have what it is asked for; the message says which column or line, and what to do.

    Parameters
    ----------
    message
        That message.
    n_missing
        Columns that are missing.
    """

    def __init__(self, message: str, n_missing: int = 0) -> None:
        super().__init__(message)
        self.n_missing = n_missing


class Wanted(NamedTuple):
    """The columns of one table that are read."""

    stars: list[str]
    keys: dict[str, str]
    values: dict[str, str]
    flags: dict[str, str]
    quality: dict[str, str]

    @property
    def texts(self) -> list[str]:
        """Columns of text."""
        return [*self.stars, *self.keys.values()]

    @property
    def numbers(self) -> list[str]:
        """Columns of numbers."""
        return list(dict.fromkeys([*self.values.values(), *self.flags.values(), *self.quality.values()]))


def wanted_columns(path: Path, there: Iterable[str], names: Sequence[str]) -> Wanted:
    """Find the columns of a table.

    Raises
    ------
    LabelTableError
        One that is needed is not there; the message says what was looked for, and what there is.
    """
    found = {name.strip().upper(): name for name in there}

    def first(candidates: Iterable[str]) -> str | None:
        return next((found[name] for name in candidates if name in found), None)

    stars = [found[name] for name in STAR_COLUMNS if name in found]
    spellings = {name: _spellings(name) for name in names}
    values = {name: column for name, candidates in spellings.items() if (column := first(candidates))}
    missing = [] if stars else [" or ".join(STAR_COLUMNS)]
    missing += [" or ".join(candidates) for name, candidates in spellings.items() if name not in values]
    if missing:
        raise LabelTableError(
            f"{path}: expected the columns {'; '.join(missing)} (capital or small), and it has {_some(found.values())}: "
            "name labels and ranges that it has, or rename its columns.",
            len(missing),
        )
    flags = {
        name: flag
        for name, column in values.items()
        if (flag := first((f"{column.strip().upper()}_FLAG", f"{column.strip().upper()}_FLAGS")))
    }
    keys = {key: column for key, candidates in KEY_COLUMNS.items() if (column := first(candidates))}
    quality = {kind: column for kind, candidates in FLAG_COLUMNS.items() if (column := first(candidates))}
    return Wanted(stars, keys, values, flags, quality)


def _spellings(name: str) -> tuple[str, ...]:
    """A label's own name first."""
    label = label_of(name)
    return tuple(dict.fromkeys((name.upper(), label.name, *label.aliases)))


def _some(names: Iterable[str]) -> str:
    names = [*names]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "") or "none"


def read_csv_columns(
    path: Path, choose: Callable[[Sequence[str]], Wanted]
) -> tuple[Wanted, dict[str, Texts], dict[str, Floats]]:
    """Read columns of text and of numbers.

    Parameters
    ----------
    path
        The file; its first line that is not empty and no comment (``#``) names the columns.
    choose
        Says which of the columns are read.

    Returns
    -------
    wanted, texts, numbers
        What was chosen, and the columns by name, each of shape (rows,); NaN for a number that a cell does not give.

    Raises
    ------
    LabelTableError
        It is no CSV in UTF-8, or a cell that should be a number is none; names the line.
    OSError
        It cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _read(path, _rows(stream), choose)
    except (csv.Error, UnicodeDecodeError) as fault:
        raise LabelTableError(
            f"{path} is neither FITS nor CSV in UTF-8 ({fault}): give SDSS's allStar file, or a CSV of its columns."
        ) from fault


def _read(
    path: Path, rows: Iterator[tuple[int, list[str]]], choose: Callable[[Sequence[str]], Wanted]
) -> tuple[Wanted, dict[str, Texts], dict[str, Floats]]:
    _, header = next(rows, (0, []))
    wanted = choose(header)
    texts: dict[str, list[str]] = {name: [] for name in wanted.texts}
    numbers = {name: array("d") for name in wanted.numbers}
    places = {name: header.index(name) for name in (*texts, *numbers)}
    for number, cells in rows:
        if len(cells) != len(header):
            raise LabelTableError(
                f"{path}, line {number}: expected {len(header)} cells, as the header, got {len(cells)}."
            )
        for name, column in texts.items():
            text = cells[places[name]].strip()
            column.append("" if text.lower() in NOTHING else sys.intern(text))  # a field or a telescope is said often
        for name, values in numbers.items():
            values.append(_number(path, number, name, cells[places[name]].strip()))
    return (
        wanted,
        {name: np.array(column, dtype=np.str_) for name, column in texts.items()},
        {name: np.array(values, dtype=np.float64) for name, values in numbers.items()},
    )


def _rows(stream: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Give the lines with their numbers, without blank ones and comments."""
    reader = csv.reader(stream)
    for cells in reader:
        if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
            yield reader.line_num, cells


def _number(path: Path, line: int, column: str, text: str) -> float:
    word = text.lower()
    if word in NOTHING:
        return float("nan")
    try:
        return _WORDS[word] if word in _WORDS else float(text)
    except ValueError:
        raise LabelTableError(f"{path}, line {line}: expected a number in the column {column}, got {text!r}.") from None
