"""Measure the engine and print a table: ``python -m benchmarks.engine`` (``make bench``).

The table is Markdown on standard output; what goes on meanwhile is told on standard error.  Times are CPU seconds, the
best of several calls, with one thread of BLAS.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks import machine, reading
from benchmarks.baselines import Baseline, baseline
from benchmarks.clock import say
from benchmarks.report import Row, main_table, reading_table
from benchmarks.workbench import NotMeasuredError, Workbench
from benchmarks.works import WORKS, Work


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    described = machine.describe()
    works = [work for work in WORKS if work.key in options.only] if options.only else WORKS
    bench = Workbench(options.repeats, options.training_set, options.archive)
    with threadpool_limits(limits=1, user_api="blas"):
        rows = [measure(work, bench) for work in works if options.slow or options.only or not work.slow]
    sys.stdout.write(f"{text_of(rows, bench, described)}\n")
    if options.json:
        options.json.write_text(f"{json.dumps(plain(rows, bench, described), indent=2)}\n", encoding="utf-8")


def measure(work: Work, bench: Workbench) -> Row:
    """Measure one row; what these data cannot tell is said in its place."""
    say(work.title)
    against = _astropy(bench) if work.key == "read" else baseline(work.key)
    try:
        return Row(work, work.measure(bench), against)
    except NotMeasuredError as error:
        return Row(work, None, against, str(error))


def text_of(rows: Sequence[Row], bench: Workbench, described: dict[str, str]) -> str:
    """Write everything that is printed: the table, where the reading goes, the machine and the data."""
    parts = [main_table(rows)]
    if any(row.work.key == "read" and row.value is not None for row in rows):
        parts.append(reading_table(reading.times(bench.archive, bench.repeats)))
    parts.append(f"CPU time, best of {bench.repeats} (training of 17 labels: one run). {machine.line(described)}")
    parts += [f"Data of {text}." for text in bench.descriptions()]
    if any(row.work.key == "memory" for row in rows):
        parts.append("Memory: what Python and numpy allocate (tracemalloc), in a process of its own.")
    return "\n\n".join(parts)


def plain(rows: Sequence[Row], bench: Workbench, described: dict[str, str]) -> dict[str, Any]:
    """Return the same as plain JSON values."""
    return {
        "machine": described,
        "data": bench.descriptions(),
        "repeats": bench.repeats,
        "rows": {
            row.work.key: {
                "work": row.work.title,
                "value": row.value,
                "unit": row.work.quantity.value,
                "target": row.work.target,
                "baseline": row.baseline and row.baseline._asdict(),
                "note": row.note,
            }
            for row in rows
        },
    }


def _astropy(bench: Workbench) -> Baseline | None:
    """Plain astropy on the same files; reading is the one row whose baseline is at hand."""
    try:
        return Baseline(1000.0 / reading.times(bench.archive, bench.repeats).astropy, "plain astropy", stated=False)
    except NotMeasuredError:
        return baseline("read")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description="How fast the engine is.")
    keys = [work.key for work in WORKS]
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=keys, help=f"some rows: {', '.join(keys)}")
    parser.add_argument("--slow", action="store_true", help="also what takes minutes")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="calls of which the quickest counts")
    parser.add_argument("--training-set", type=Path, metavar="FILE", help="train on this instead of synthetic stars")
    parser.add_argument(
        "--archive", type=Path, metavar="FOLDER", help="read these apStar files instead of synthetic ones"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser


if __name__ == "__main__":
    main()
