"""How fast everything is inferred again by a new model: ``python -m benchmarks.reanalysis`` (``make bench-reanalysis``).

The work is that of the DAG ``cannon_reanalysis``, its plan and its batches; Airflow itself is not in it.  It is held against
the engine on the same spectra in memory, and against reading their products alone: the target is the engine's speed less
what reading costs.  All files are warm.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from threadpoolctl import threadpool_limits

from apogee_labels.cannon.io.normalized import NormalizedSpectrum, read_normalized
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.analysis.infer import INFERRED_TOGETHER, read_model
from apogee_labels.pipeline.analysis.reanalysis import Batch, count_outdated, plan_reanalysis, reanalyse
from apogee_labels.pipeline.workspace import Workspace
from benchmarks import machine
from benchmarks.clock import Cost, cost_of, say
from benchmarks.installation import Installation, make_installation
from benchmarks.report import table
from benchmarks.stored_stars import store_stars

PROCESSES = 2
"""Batches that are at work at once, as Airflow's on two cores."""
IN_MEMORY = 2048
"""Spectra of which the engine's speed is measured."""
ENGINE, READING, TARGET = "the engine, spectra in memory", "reading the products", "the engine, less what reading costs"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder, threadpool_limits(limits=1, user_api="blas"):
        installation = make_installation(Path(folder), None, options.templates)
        say(f"  {options.stars} normalised spectra")
        products = store_stars(installation, options.stars)
        rows = measure(installation, products, options.batch, options.repeats)
    sys.stdout.write(f"{cost_table(rows)}\n\n{options.stars} stars, a stack each, {options.batch} a batch, in SQLite. ")
    sys.stdout.write(f"Best of {options.repeats}. {machine.line(described)}\n")


def measure(installation: Installation, products: Sequence[str], batch: int, repeats: int) -> dict[str, Cost]:
    """Measure the engine, reading and the whole; of each the quickest run counts."""
    say("  the engine and reading")
    engine = min(_engine(installation, products[:IN_MEMORY]) for _ in range(repeats))
    reading = min(cost_of(partial(_read_all, installation, products)) for _ in range(repeats)).over(len(products))
    target = Cost(*map(sum, zip(engine, reading, strict=True)))
    say("  reanalysis")
    alone = min(_one_process(installation, batch, len(products)) for _ in range(repeats))
    shared = min(_two_processes(installation, batch, len(products)) for _ in range(repeats))
    return {
        ENGINE: engine,
        READING: reading,
        TARGET: target,
        "reanalysis, 1 process": alone,
        f"reanalysis, {PROCESSES} processes": shared,
    }


def cost_table(rows: dict[str, Cost]) -> str:
    """Write the costs of a star, how many stars a second that are, and the share of the target's speed."""
    target = rows[TARGET]
    cells = [
        (
            name,
            f"{1000.0 * cost.cpu:.3f} ms",
            f"{1.0 / cost.cpu:,.0f}/s",
            f"{1.0 / cost.wall:,.0f}/s",
            f"{100.0 * target.cpu / cost.cpu:.0f} %" if name.startswith("reanalysis") else "",
        )
        for name, cost in rows.items()
    ]
    return table(("work", "CPU a star", "stars a CPU second", "stars a second", "of the target, by CPU"), cells)


def _engine(installation: Installation, products: Sequence[str]) -> Cost:
    """Cost of the engine by itself, in calls of as many spectra as a batch makes."""
    with Workspace.open(installation.settings) as workspace:
        model = read_model(workspace, installation.model_id)
        spectra = [read_normalized(workspace.normalized_path(item)) for item in products]
    flux, ivar = (np.concatenate([getattr(item, name) for item in spectra]) for name in ("flux", "ivar"))
    flags = np.array([int(item.starflag) for item in spectra])
    some = [slice(first, first + INFERRED_TOGETHER) for first in range(0, len(flux), INFERRED_TOGETHER)]

    def work(rows: Sequence[slice]) -> None:
        for part in rows:
            model.infer(flux[part], ivar[part], wavelength=spectra[0].wavelength, starflag=flags[part])

    work(some[:1])  # what a model keeps is made once
    return cost_of(partial(work, some)).over(len(flux))


def _read_all(installation: Installation, products: Sequence[str]) -> NormalizedSpectrum | None:
    last = None
    with Workspace.open(installation.settings) as workspace:
        for item in products:
            last = read_normalized(workspace.normalized_path(item))
    return last


@contextmanager
def _fresh(installation: Installation) -> Iterator[Settings]:
    """Return settings with a copy of the catalogue, without results, over the same products."""
    source = installation.settings.data_dir / "catalog.db"
    copy = source.with_name("measured.db")
    shutil.copyfile(source, copy)
    try:
        yield installation.settings.model_copy(update={"catalog_url": f"sqlite:///{copy}"})
    finally:
        for path in copy.parent.glob("measured.db*"):
            path.unlink()


def _one_process(installation: Installation, batch: int, n_stars: int) -> Cost:
    with _fresh(installation) as settings:
        work = partial(_all_batches, settings, installation, batch)
        cost = cost_of(work).over(n_stars)
        _check(settings, installation)
    return cost


def _all_batches(settings: Settings, installation: Installation, size: int) -> None:
    for batch in _plan(settings, installation, size):
        _batch(settings, installation, batch)


def _two_processes(installation: Installation, size: int, n_stars: int) -> Cost:
    """Cost with as many processes at work; each batch in a process of its own, forked as Airflow's tasks."""
    with _fresh(installation) as settings:
        start = perf_counter()
        batches = _plan(settings, installation, size)
        pool = multiprocessing.get_context("fork").Pool(PROCESSES, maxtasksperchild=1)
        with pool:
            seconds = pool.map(partial(_batch, settings, installation), batches, chunksize=1)
        wall = perf_counter() - start
        _check(settings, installation)
    return Cost(sum(seconds), wall).over(n_stars)


def _plan(settings: Settings, installation: Installation, size: int) -> list[Batch]:
    with Workspace.open(settings) as workspace:
        regions = settings.continuum_regions
        return plan_reanalysis(workspace, installation.model_id, regions, batch_size=size, max_batches=1000)


def _batch(settings: Settings, installation: Installation, batch: Batch) -> float:
    start = process_time()
    with Workspace.open(settings) as workspace:
        done = reanalyse(workspace, installation.model_id, batch, settings.continuum_regions)
    if done.n_inferred != done.n_due:
        raise AssertionError(f"{batch}: {done}")
    return process_time() - start


def _check(settings: Settings, installation: Installation) -> None:
    """See that all the work was done.

    Raises
    ------
    AssertionError
        It was not.
    """
    with Workspace.open(settings) as workspace:
        if left := count_outdated(workspace, installation.model_id, settings.continuum_regions):
            raise AssertionError(f"{left} stars have no result after the reanalysis")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reanalysis", description="How fast all is inferred again."
    )
    parser.add_argument("--stars", type=int, default=10_000, metavar="N", help="stars, of 121 kB on disk each")
    parser.add_argument("--batch", type=int, default=5000, metavar="N", help="stars a task")
    parser.add_argument("--templates", type=int, default=24, metavar="N", help="stars whose headers all have")
    parser.add_argument("--repeats", type=int, default=2, metavar="N", help="runs of which the quickest counts")
    return parser


if __name__ == "__main__":
    main()
