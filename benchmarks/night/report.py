"""The tables of ``make bench-night``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.night.batches import BatchTimes
from benchmarks.night.timing import RunTimes
from benchmarks.report import table

TARGET_AIRFLOW = 1.25
"""Wall of the night, one instance a file, over that of the same DAG with empty tasks (issue 4, point 9)."""
TARGET_BATCHES = 2.0
"""Work of the night in batches, over reading its files with astropy."""

HEADINGS = ("night", "measured", "against", "ratio", "target")
RUN_HEADINGS = ("run", "mapped tasks", "first to last", "whole run", "tasks/s", "CPU", "normalize", "infer")
SETTINGS_HEADINGS = ("settings", "empty tasks/s", "night's tasks/s", "ratio")


class Found(NamedTuple):
    """What was measured with the project's settings."""

    empty: RunTimes
    nightly: RunTimes
    batched: RunTimes
    """The same night, in batches, through Airflow."""
    batches: BatchTimes


def main_table(found: Found) -> str:
    """Write what is held against a target, and what is near it."""
    empty, nightly, batches = found.empty, found.nightly, found.batches
    rows = [
        _row(
            "one instance a file: first start to last end", nightly.mapped, empty.mapped, "empty tasks", TARGET_AIRFLOW
        ),
        _row("one instance a file: the whole run", nightly.whole, empty.whole, "empty tasks"),
        _row("one instance a file: CPU of all processes", nightly.cpu, empty.cpu, "empty tasks"),
        _row("batches: work", batches.work.wall, batches.read_all.wall, "astropy, all HDUs", TARGET_BATCHES),
        _row("batches: work", batches.work.wall, batches.read_images.wall, "astropy, HDUs 1 to 3"),
        _row("batches: CPU of the work", batches.work.cpu, batches.read_all.cpu, "astropy, all HDUs"),
    ]
    return table(HEADINGS, rows)


def runs_table(found: Found) -> str:
    """Write the runs themselves."""
    runs = {"empty tasks": found.empty, "one instance a file": found.nightly, "in batches": found.batched}
    return table(RUN_HEADINGS, [_run(name, run) for name, run in runs.items()])


def settings_table(found: Mapping[str, tuple[RunTimes, RunTimes]]) -> str:
    """Write what each setting brings; the values are the empty night and the real one."""
    rows = [
        (name, f"{empty.rate:.2f}", f"{nightly.rate:.2f}", f"{nightly.mapped / empty.mapped:.2f}")
        for name, (empty, nightly) in found.items()
    ]
    return table(SETTINGS_HEADINGS, rows)


def explanation(n_files: int, megabytes: float, batch: int, repeats: int) -> Sequence[str]:
    """Say what is compared, and what does not count."""
    return (
        f"{n_files} files of one night in the layout of DR17, {megabytes:.1f} MB in the mean; two tasks a file; best of "
        f"{repeats}. LocalExecutor, SQLite, the settings of make run. Empty tasks: a DAG of the same shape whose operators "
        "set their label and return what the next takes; its file imports nothing of the project.",
        f"Batches: the seconds within `execute` of normalize and infer, {batch} files a task, one task after the other, "
        "each in a new process, which reads the model. Not counted: starting "
        "the process and parsing the DAG file, imports that a task inherits from its parent, Airflow's "
        "own work. astropy: fits.open without memory mapping and the data of every HDU, in one process. Files are warm.",
    )


def _row(what: str, value: float, against: float, name: str, target: float | None = None) -> tuple[str, ...]:
    ratio = value / against
    verdict = "" if target is None else f"{target:.2f}: {'reached' if ratio <= target else 'missed'}"
    return what, f"{value:.2f} s", f"{against:.2f} s ({name})", f"{ratio:.2f}", verdict


def _run(name: str, run: RunTimes) -> tuple[str, ...]:
    instance = [f"{run.instance[task]:.2f} s" for task in ("normalize", "infer")]
    return (
        name, str(run.n_mapped), f"{run.mapped:.1f} s", f"{run.whole:.1f} s", f"{run.rate:.2f}", f"{run.cpu:.1f} s",
        *instance,
    )  # fmt: skip
