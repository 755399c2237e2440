"""What a file of a batch costs, beside reading it with astropy: ``python -m benchmarks.file_cost``.

The work is that of a night's two mapped tasks, ``normalize`` and ``infer``, in batches, on an archive that was listed;
Airflow itself is not in it.  astropy opens each file and loads the data of all its units, in one process.  All files are
warm.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

from threadpoolctl import threadpool_limits

from apogee_labels.pipeline.analysis.infer import infer_files
from apogee_labels.pipeline.analysis.normalize import normalize_files
from apogee_labels.pipeline.workspace import Workspace
from benchmarks import machine
from benchmarks.clock import Cost, cost_of, say
from benchmarks.installation import Installation, make_installation
from benchmarks.report import table

PROCESSES = 2
"""Tasks that are at work at once, as Airflow's on two cores."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder, threadpool_limits(limits=1, user_api="blas"):
        installation = make_installation(Path(folder), options.archive, options.files)
        rows = measure(installation, options.batch, options.repeats)
        n_files = len(installation.paths)
        size = sum(Path(path).stat().st_size for path in installation.paths) / n_files / 1e6
    sys.stdout.write(f"{cost_table(rows)}\n\n{n_files} files of {size:.1f} MB in the mean, {options.batch} a batch. ")
    sys.stdout.write(f"Best of {options.repeats}. {machine.line(described)}\n")


def measure(installation: Installation, batch: int, repeats: int) -> dict[str, Cost]:
    """Measure astropy and the two steps; of each the quickest run counts."""
    paths = installation.paths
    with installation.copy("warm") as warm:  # what is imported before a worker forks is free afterwards
        _infer(warm, _normalize(warm, paths[:2]))
    plain = {
        f"astropy, {what}": min(cost_of(partial(_astropy, paths, units)) for _ in range(repeats)).over(len(paths))
        for what, units in (("all units", slice(None)), ("HDU 1 to 3", slice(1, 4)))
    }
    say("  normalize and infer")
    steps = min(
        (_one_process(installation, batch) for _ in range(repeats)), key=lambda steps: steps[0].cpu + steps[1].cpu
    )
    shared = min(_two_processes(installation, batch) for _ in range(repeats))
    return plain | {
        "normalize": steps[0],
        "infer": steps[1],
        "normalize and infer": Cost(*map(sum, zip(*steps, strict=True))),
        f"normalize and infer, {PROCESSES} processes": shared,
    }


def cost_table(rows: dict[str, Cost]) -> str:
    """Write the costs, and each in units of what astropy takes for all units of a file."""
    plain = next(iter(rows.values()))
    cells = [
        (
            name,
            f"{1000.0 * cost.cpu:.2f} ms",
            f"{cost.cpu / plain.cpu:.2f}",
            f"{1000.0 * cost.wall:.2f} ms",
            f"{cost.wall / plain.wall:.2f}",
        )
        for name, cost in rows.items()
    ]
    return table(("work", "CPU a file", "of astropy", "wall a file", "of astropy"), cells)


def _astropy(paths: Sequence[str], units: slice) -> None:
    from astropy.io.fits.hdu.hdulist import fitsopen

    for path in paths:
        with fitsopen(path, memmap=False) as hdus:
            for hdu in hdus[units]:
                hdu.data  # noqa: B018 - reading it is the work


def _normalize(installation: Installation, paths: Sequence[str]) -> list[str]:
    """Do what the first task of a batch does."""
    with Workspace.open(installation.settings) as workspace:
        outcomes = normalize_files(workspace, paths, installation.normalization)
    return [outcome.unwrap().normalization_id for outcome in outcomes]


def _infer(installation: Installation, products: Sequence[str]) -> list[str]:
    """Do what the second task of a batch does."""
    with Workspace.open(installation.settings) as workspace:
        outcomes = infer_files(workspace, products, installation.model_id, installation.inference)
    return [outcome.unwrap().result_id for outcome in outcomes]


def _one_process(installation: Installation, batch: int) -> tuple[Cost, Cost]:
    """Costs of the two steps, one batch after the other."""
    with installation.copy("one") as copy:
        n_files, products = len(copy.paths), list[list[str]]()
        normalize = cost_of(lambda: products.extend(_normalize(copy, paths) for paths in _batches(copy, batch)))
        infer = cost_of(lambda: [_infer(copy, some) for some in products])
        return normalize.over(n_files), infer.over(n_files)


def _two_processes(installation: Installation, batch: int) -> Cost:
    """Cost of both steps with as many processes at work; each batch in a process of its own, forked as Airflow's tasks."""
    with installation.copy("two") as copy:
        pool = multiprocessing.get_context("fork").Pool(PROCESSES, maxtasksperchild=1)
        start = perf_counter()
        with pool:
            seconds = pool.map(partial(_both, copy), _batches(copy, batch), chunksize=1)
        wall = perf_counter() - start
    return Cost(sum(seconds), wall).over(len(copy.paths))


def _both(installation: Installation, paths: Sequence[str]) -> float:
    start = process_time()
    _infer(installation, _normalize(installation, paths))
    return process_time() - start


def _batches(installation: Installation, size: int) -> list[list[str]]:
    return [installation.paths[first : first + size] for first in range(0, len(installation.paths), size)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.file_cost", description="What a file of a batch costs.")
    parser.add_argument("--files", type=int, default=200, metavar="N", help="files of a night")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="files a task")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="runs of which the quickest counts")
    parser.add_argument("--archive", type=Path, metavar="FOLDER", help="a SAS_BASE_DIR, instead of synthetic stars")
    return parser


if __name__ == "__main__":
    main()
