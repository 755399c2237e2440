"""The work of a night's batches beside reading the same files with astropy: each in a process of its own, files warm.

As in a run, `list_apstars` has indexed the files before: a batch knows which contents to expect.

``python -m benchmarks.night.batches work|read-all|read-images ...`` prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.clock import say

if TYPE_CHECKING:
    from benchmarks.night.archive import Night

ROOT = Path(__file__).resolve().parents[2]


class Seconds(NamedTuple):
    """A stretch of work by the wall clock, and the CPU time in it, which another's work on the machine does not lengthen."""

    wall: float
    cpu: float

    def __add__(self, other: Seconds) -> Seconds:  # type: ignore[override]
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)


class BatchTimes(NamedTuple):
    """What all files of a night take."""

    normalize: Seconds
    infer: Seconds
    read_all: Seconds
    """astropy: every HDU's data."""
    read_images: Seconds
    """astropy: the data of HDUs 1 to 3, which are all that the project uses."""

    @property
    def work(self) -> Seconds:
        """Both tasks."""
        return self.normalize + self.infer


def measure(night: Night, batch: int, repeats: int) -> BatchTimes:
    """Measure the night in batches of so many files; the quickest of several runs of each."""
    say(f"batches of {batch} files, and reading them with astropy")
    read_all, read_images = (
        min(Seconds(*_run(night.folder, what, *night.files)) for _ in range(repeats))
        for what in ("read-all", "read-images")
    )
    normalize, infer = min((_work(night, batch) for _ in range(repeats)), key=lambda parts: parts[0] + parts[1])
    return BatchTimes(normalize, infer, read_all, read_images)


def _work(night: Night, batch: int) -> tuple[Seconds, Seconds]:
    """Time within `execute` of both operators, batch after batch on listed files, each in a new process as a task is."""
    night.forget(listed=True)
    normalize = infer = Seconds(0.0, 0.0)
    for first in range(0, len(night.files), batch):
        seconds, made = _run(night.folder, "normalize", *night.files[first : first + batch])
        normalize += Seconds(*seconds)
        infer += Seconds(*_run(night.folder, "infer", *made)[0])
    return normalize, infer


def _run(data_dir: Path, *arguments: object) -> Any:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "APOGEE_", "SAS_"))
    }
    environment |= {
        "APOGEE_LABELS_DATA_DIR": str(data_dir),
        "AIRFLOW_HOME": str(data_dir / "airflow"),
        "OMP_NUM_THREADS": "1",  # as the tasks have it
        "PYTHONPATH": str(ROOT / "config"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "benchmarks.night.batches", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    return json.loads(done.stdout.splitlines()[-1])


def _execute(operator: Any) -> tuple[Seconds, list[str]]:
    """Time of `execute`, and what it returned; everything that a forked task inherits has been imported."""
    context = {"params": {}, "ti": SimpleNamespace(try_number=1, max_tries=3)}
    start = Seconds(perf_counter(), process_time())
    made = operator.execute(context)
    return _since(start), list(made)


def _since(start: Seconds) -> Seconds:
    return Seconds(perf_counter() - start.wall, process_time() - start.cpu)


def _normalize(paths: Sequence[str]) -> tuple[Seconds, list[str]]:
    from apogee_airflow import ContinuumNormalizeOperator

    regions = str(ROOT / "include" / "apogee_labels" / "data" / "continuum_regions.txt")
    return _execute(
        ContinuumNormalizeOperator(
            task_id="normalize", apstar_paths=list(paths), continuum_regions_path=regions, sum_axis=0
        )
    )


def _infer(normalizations: Sequence[str]) -> tuple[Seconds, list[str]]:
    from apogee_airflow import InferLabelsOperator
    from apogee_labels.pipeline.workspace import Workspace

    with Workspace.open() as workspace:
        model = workspace.catalog.models.in_force(workspace.settings.model_name)
    if model is None:
        raise AssertionError("a model was to be in force")
    return _execute(InferLabelsOperator(task_id="infer", normalizations=list(normalizations), model_id=model.id))


def _by_astropy(paths: Iterable[str], hdus: slice) -> Seconds:
    """Time of opening each file and taking the data of its HDUs."""
    from astropy.io.fits.hdu.hdulist import fitsopen

    start = Seconds(perf_counter(), process_time())
    for path in paths:
        with fitsopen(path, memmap=False) as opened:
            for hdu in opened[hdus]:
                _ = hdu.data
    return _since(start)


def main(what: str, *arguments: str) -> None:
    """Measure in this process, and print JSON."""
    from airflow_local_settings import preload
    from our_code import preload_our_code

    preload()
    preload_our_code()
    if what.startswith("read"):
        hdus = slice(None) if what == "read-all" else slice(1, 4)
        _by_astropy(arguments[:1], hdus)  # what astropy does once a process
        answer: Any = _by_astropy(arguments, hdus)
    else:
        answer = (_normalize if what == "normalize" else _infer)(arguments)
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
