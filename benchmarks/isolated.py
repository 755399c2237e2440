"""What has to be measured in a process of its own: a first call, and a peak of memory.

``python -m benchmarks.isolated continuum|memory REPEATS ...`` prints JSON.  Memory is what Python and numpy allocate
(tracemalloc) above what is there when training begins; the working space within BLAS is not in it.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.clock import best_of, cpu_seconds

if TYPE_CHECKING:
    from benchmarks.workbench import Workbench

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def continuum_rates(repeats: int) -> dict[str, float]:
    """Spectra per CPU second that a new process normalises in its first call (``first``), and in later ones (``later``).

    Every number is the best of `repeats` processes or calls.
    """
    found = [_run("continuum", repeats) for _ in range(repeats)]
    return {which: max(rates[which] for rates in found) for which in ("first", "later")}


def megabytes_of_training(bench: Workbench) -> float:
    """Peak of memory over the data while 3 labels are trained, 10^6 bytes."""
    sizes = (bench.n_stars, bench.n_spectra, bench.n_pixels)
    return _run("memory", *sizes, *([bench.training_set] if bench.training_set else []))["megabytes"]


def _run(*arguments: object) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.isolated", *map(str, arguments)]
    one_thread = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        command, cwd=ROOT, env=one_thread, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _continuum(repeats: int) -> dict[str, float]:
    from apogee_labels.apogee.spectra.grid import WAVELENGTH
    from apogee_labels.cannon.continuum.normalization import normalize_rows
    from apogee_labels.core.settings import SHIPPED_REGIONS
    from benchmarks.data import raw_spectra

    flux, ivar = raw_spectra()

    def work() -> None:
        normalize_rows(WAVELENGTH, flux, ivar, SHIPPED_REGIONS)

    return {"first": len(flux) / cpu_seconds(work), "later": len(flux) / best_of(work, repeats)}


def _memory(n_stars: int, n_spectra: int, n_pixels: int, training_set: str = "") -> dict[str, float]:
    from benchmarks.engine_calls import train
    from benchmarks.workbench import Workbench

    path = Path(training_set) if training_set else None
    sample = Workbench(1, path, n_stars=n_stars, n_spectra=n_spectra, n_pixels=n_pixels).sample(3)
    tracemalloc.start()
    train(sample.training_set)
    return {"megabytes": tracemalloc.get_traced_memory()[1] / 1e6}


def main(what: str, *arguments: str) -> None:
    """Measure in this process, and print JSON."""
    if what == "continuum":
        found = _continuum(int(arguments[0]))
    else:
        found = _memory(int(arguments[0]), int(arguments[1]), int(arguments[2]), *arguments[3:])
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
