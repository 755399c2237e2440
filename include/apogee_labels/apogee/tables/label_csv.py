"""The columns of a CSV file that are needed, line by line: no more memory than these columns take."""

from __future__ import annotations

import csv
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from apogee_labels.apogee.tables.label_columns import LabelTableError, Wanted
from apogee_labels.core.arrays import Floats, Texts

NOTHING = frozenset({"", "--", "nan", "null", "none", "masked", "n/a"})
"""How a cell says that it does not know, in small letters."""
_WORDS = {"true": 1.0, "false": 0.0}


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
