"""Measure what a night costs: ``python -m benchmarks.night`` (``make bench-night``).

A synthetic night goes through a real Airflow in a temporary folder, beside a DAG of the same shape whose tasks are empty,
and in batches beside reading its files with astropy.  The tables are Markdown on standard output; what goes on meanwhile
is told on standard error.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.night import batches
from benchmarks.night.archive import Night, make_night
from benchmarks.night.report import Found, explanation, main_table, runs_table, settings_table
from benchmarks.night.runs import PROJECT, VARIANTS, RunningAirflow, running_airflow
from benchmarks.night.timing import RunTimes, quickest

N_FILES = 200
BATCH = 64
"""Files an instance in a backfill, as the DAG's parameter has it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="bench-night-", dir=options.folder) as folder:
        night = make_night(Path(folder) / "data", options.files)
        texts, plain = (_settings if options.settings else _night)(Path(folder), night, options)
    texts += [f"Airflow {_version('apache-airflow')}, astropy {_version('astropy')}. {machine.line(described)}"]
    sys.stdout.write("\n\n".join(texts) + "\n")
    if options.json:
        options.json.write_text(f"{json.dumps({'machine': described} | plain, indent=2)}\n", encoding="utf-8")


def _night(folder: Path, night: Night, options: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """Measure with the project's settings."""
    in_batches = batches.measure(night, options.batch, options.repeats)
    with running_airflow(folder / "airflow", night) as airflow:
        empty, nightly = _both(airflow, options.repeats)
        batched = airflow.nightly(max_instances=-(-len(night.files) // options.batch))
    found = Found(empty, nightly, batched, in_batches)
    about = explanation(len(night.files), night.megabytes, options.batch, options.repeats)
    plain = {
        "runs": {name: dataclasses.asdict(getattr(found, name)) for name in ("empty", "nightly", "batched")},
        "batches": in_batches._asdict(),
    }
    return [main_table(found), runs_table(found), *about], plain


def _settings(folder: Path, night: Night, options: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """Measure with the project's settings, without each of them, and without all."""
    found = {}
    for number, variant in enumerate(VARIANTS):
        with running_airflow(folder / f"airflow-{number}", night, variant) as airflow:
            found[variant.name] = _both(airflow, options.repeats)
    plain = {name: [dataclasses.asdict(run) for run in runs] for name, runs in found.items()}
    note = f"{len(night.files)} files, two tasks a file, one instance a file; first: {PROJECT.name}."
    return [settings_table(found), note], {"settings": plain}


def _both(airflow: RunningAirflow, repeats: int) -> tuple[RunTimes, RunTimes]:
    """Run both nights by turns, so that whatever else the machine does meets both."""
    runs = [(airflow.empty_night(), airflow.nightly()) for _ in range(repeats)]
    return quickest([empty for empty, _ in runs]), quickest([nightly for _, nightly in runs])


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.night", description="What a night costs.")
    parser.add_argument("--files", type=int, default=N_FILES, metavar="N", help="apStar files of the night")
    parser.add_argument("--batch", type=int, default=BATCH, metavar="N", help="files a task in batches")
    parser.add_argument("--repeats", type=int, default=2, metavar="N", help="runs of which the quickest counts")
    parser.add_argument(
        "--settings", action="store_true", help="what each of the project's settings brings; with defaults a task takes "
        "seconds: give fewer files, e.g. --files 20 --repeats 1",
    )  # fmt: skip
    parser.add_argument("--folder", type=Path, help="work below this folder (default: the temporary one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser


if __name__ == "__main__":
    main()
