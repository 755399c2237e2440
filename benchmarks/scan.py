"""Measure how scans grow with the archive: ``python -m benchmarks.scan`` (``make bench-scan``).

An archive grows from one size to the next, its catalogue kept in SQLite and in PostgreSQL; each size is scanned when nothing
has changed.  The table is Markdown on standard output; what goes on meanwhile is told on standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db.database import Database
from apogee_labels.simulation.survey import SyntheticSurvey
from benchmarks import machine, scan_process, scan_tree
from benchmarks.clock import say
from benchmarks.postgres import postgres_database
from benchmarks.report import table
from benchmarks.workbench import NotMeasuredError

SIZES = (10_000, 100_000, 300_000)
LARGEST = 1_000_000
N_NEW = 100
TARGETS = {100_000: 5.0}
"""Seconds for an unchanged archive of so many files: "takes seconds" (issue 4)."""

HEADINGS = (
    "catalogue", "files", "unchanged scan", "files/s", "of it the walk", "bare stat of all", "memory", "a night's files",
    "files never read", "target",
)  # fmt: skip


class Scanned(NamedTuple):
    """The measurements of one size in one database."""

    database: str
    found: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    described = machine.describe()
    sizes = sorted({*options.files, *([LARGEST] if options.million else [])})
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=options.folder) as folder, ExitStack() as stack:
        urls, notes = _databases(Path(folder), stack)
        rows = list(measure(Path(folder), urls, sizes, options.repeats))
        new = first_scan(Path(folder) / "new", options.new)
    sys.stdout.write(f"{text_of(rows, new, notes, described, options.repeats)}\n")
    if options.json:
        plain = {"machine": described, "unchanged": [row._asdict() for row in rows], "new": new}
        options.json.write_text(f"{json.dumps(plain, indent=2)}\n", encoding="utf-8")


def _databases(folder: Path, stack: ExitStack) -> tuple[dict[str, str], list[str]]:
    """Give the databases to measure with, by name, and why one is missing."""
    urls = {"SQLite": f"sqlite:///{folder / 'catalog.db'}"}
    try:
        urls["PostgreSQL"] = stack.enter_context(postgres_database())
    except NotMeasuredError as error:
        return urls, [f"PostgreSQL: not measured: {error}."]
    return urls, []


def measure(folder: Path, urls: dict[str, str], sizes: Sequence[int], repeats: int) -> Iterator[Scanned]:
    """Grow an archive below a folder from size to size, and scan it with each database."""
    root, before = folder / "sas", 0
    for size in sizes:
        say(f"{size:,} files")
        scan_tree.grow(root, range(before, size))
        for name, url in urls.items():
            say(f"  {name}")
            _put_on_record(url, root, range(before, size))
            mjd = scan_tree.middle_night(size)
            yield Scanned(name, scan_process.unchanged(folder, url, scan_tree.TELESCOPE, mjd, repeats))
        before = size


def first_scan(folder: Path, n_files: int) -> dict[str, float]:
    """Scan so many real files for the first time."""
    say(f"{n_files} new files, with content")
    survey = SyntheticSurvey(folder / "sas", n_stars=2 * n_files, nights=3)  # every other star is the other telescope's
    survey.observe_all()
    return scan_process.new(folder, scan_tree.TELESCOPE)


def _put_on_record(url: str, root: Path, numbers: range) -> None:
    with Catalog.open(url):
        pass  # makes the tables
    database = Database(url)
    scan_tree.put_on_record(database, root, numbers)
    if database.url.get_backend_name() == "postgresql":  # what its autovacuum would do by itself in a minute
        with database.write() as connection:
            connection.execute(text("ANALYZE"))
    database.close()


def text_of(
    rows: Sequence[Scanned], new: dict[str, float], notes: Sequence[str], described: dict[str, str], repeats: int
) -> str:
    """Write everything that is printed."""
    milliseconds = [1000.0 * new[part] / new["files"] for part in ("seconds", "reading")]
    return "\n\n".join(
        [
            table(HEADINGS, map(_cells, rows)),
            f"First scan of {new['files']:.0f} files with content: {milliseconds[0]:.1f} ms a file (reading their bytes "
            f"alone: {milliseconds[1]:.1f} ms).",
            *_growth(rows),
            *notes,
            f"Wall clock, best of {repeats}, files warm. Memory: what a scan adds to its process at its highest. "
            f"{machine.line(described)}",
        ]
    )


def _cells(row: Scanned) -> list[str]:
    found = row.found
    files = int(found["files"])
    cells = [
        row.database, f"{files:,}", f"{found['seconds']:.2f} s", f"{files / found['seconds']:,.0f}/s",
        f"{found['walk']:.2f} s", f"{found['bare_walk']:.2f} s", f"{found['megabytes']:.0f} MB",
        f"{1000.0 * found['night']:.1f} ms ({found['night_files']:.0f})", f"{1000.0 * found['without_spectrum']:.1f} ms",
    ]  # fmt: skip
    target = TARGETS.get(files)
    return [*cells, "" if target is None else f"{target:.0f} s: {_verdict(found['seconds'], target)}"]


def _verdict(value: float, target: float) -> str:
    return "reached" if value <= target else "missed"


def _growth(rows: Sequence[Scanned]) -> Iterator[str]:
    """Say of each database how much longer the largest archive takes than the smallest, beside how much larger it is."""
    for name in dict.fromkeys(row.database for row in rows):
        found = [row.found for row in rows if row.database == name]
        first, last = found[0], found[-1]
        if first is not last:
            yield (
                f"{name}: {last['files'] / first['files']:.0f} times the files take "
                f"{last['seconds'] / first['seconds']:.1f} times as long, a night's query "
                f"{last['night'] / first['night']:.1f} times."
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description="How scans grow with the archive.")
    parser.add_argument("--files", type=int, nargs="+", default=list(SIZES), metavar="N", help="sizes of the archive")
    parser.add_argument("--million", action="store_true", help=f"also {LARGEST:,} files, which takes some minutes")
    parser.add_argument("--new", type=int, default=N_NEW, metavar="N", help="files with content for the first scan")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="calls of which the quickest counts")
    parser.add_argument("--folder", type=Path, help="make the archive below this folder (default: the temporary one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser


if __name__ == "__main__":
    main()
