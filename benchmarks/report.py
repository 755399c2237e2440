"""The tables, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.baselines import Baseline
from benchmarks.quantities import gain_text
from benchmarks.reading import ReadingTimes
from benchmarks.works import Work

HEADINGS = ("work", "measured", "baseline", "ratio", "target")


class Row(NamedTuple):
    """A measured row: a value, or why there is none."""

    work: Work
    value: float | None
    baseline: Baseline | None
    note: str = ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table whose columns line up."""
    cells = [list(headings), *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def main_table(rows: Iterable[Row]) -> str:
    """Write the table of all rows."""
    return table(HEADINGS, map(_cells, rows))


def reading_table(times: ReadingTimes) -> str:
    """Write where the time of reading a file goes."""
    rows = [(part, f"{milliseconds:.2f} ms") for part, milliseconds in times.parts.items()]
    rows += [
        ("all of read_apstar", f"{times.read_apstar:.2f} ms"),
        ("plain astropy, no check", f"{times.astropy:.2f} ms"),
    ]
    return table((f"reading a file ({times.description})", "CPU time"), rows)


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    work, quantity = row.work, row.work.quantity
    measured = f"not measured: {row.note}" if row.value is None else quantity.text(row.value)
    if row.baseline is None:
        against = ratio = "none"
    else:
        against = f"{quantity.text(row.baseline.value)} ({row.baseline.text})"
        ratio = "" if row.value is None else gain_text(quantity.gain(row.value, row.baseline.value))
    return work.title, measured, against, ratio, _target(row)


def _target(row: Row) -> str:
    target = row.work.target
    if target is None:
        return ""
    text = row.work.quantity.text(target)
    if row.value is None:
        return text
    return f"{text}: {'reached' if row.work.quantity.reaches(row.value, target) else 'missed'}"
