"""Reading apStar files: beside plain astropy, and where the time goes.  Files are warm: the disk is not measured."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple
from unittest.mock import patch

from apogee_labels.apogee.spectra import apstar
from apogee_labels.simulation.survey import SyntheticSurvey
from benchmarks.clock import best_of, say
from benchmarks.workbench import NotMeasuredError, Workbench

N_FILES = 40

_STEPS = {
    "read_content": "bytes of the file",
    "read_hdus": "headers",
    "parse_header": "keywords",
    "read_image": "images",
    "digest_bytes": "SHA-256",
}
"""Functions that :mod:`apogee_labels.apogee.spectra.apstar` calls, in their order, and what each does."""


class ReadingTimes(NamedTuple):
    """CPU milliseconds a file."""

    read_apstar: float
    astropy: float
    parts: dict[str, float]
    """Of what read_apstar does, in its order; the last is what remains."""
    description: str


def rate_of_read_apstar(bench: Workbench) -> float:
    """Files a second that the project reads."""
    return 1000.0 / times(bench.archive, bench.repeats).read_apstar


@cache
def times(archive: Path | None, repeats: int) -> ReadingTimes:
    """Measure on the files of a folder, or on a synthetic survey's in the layout of DR17."""
    if archive is not None:
        return _measure(archive, repeats, str(archive.name))
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        say(f"  {N_FILES} apStar files")
        SyntheticSurvey(folder, n_stars=N_FILES, nights=3).observe_all()
        return _measure(Path(folder), repeats, "synthetic survey")


def _measure(folder: Path, repeats: int, name: str) -> ReadingTimes:
    paths = sorted([*folder.rglob("apStar-*.fits"), *folder.rglob("asStar-*.fits")])[:N_FILES]
    if not paths:
        raise NotMeasuredError(f"no apStar-*.fits or asStar-*.fits below {folder}")
    passes = [_taken_apart(paths) for _ in range(max(3, repeats))]
    parts = min(passes, key=lambda parts: sum(parts.values()))
    plain = best_of(lambda: [_by_astropy(path) for path in paths], max(3, repeats))
    size = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
    text = f"{name}, {len(paths)} files of {size:.1f} MB in the mean"
    return ReadingTimes(sum(parts.values()), 1000.0 * plain / len(paths), parts, text)


def _taken_apart(paths: Sequence[Path]) -> dict[str, float]:
    """CPU milliseconds a file of each step, while read_apstar reads the files one after the other."""
    spent = dict.fromkeys(_STEPS.values(), 0.0)

    def timed(function: Callable[..., Any], step: str) -> Callable[..., Any]:
        def timing(*arguments: Any, **options: Any) -> Any:
            start = process_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[step] += process_time() - start

        return timing

    with ExitStack() as stack:
        for function, step in _STEPS.items():
            stack.enter_context(patch.object(apstar, function, timed(getattr(apstar, function), step)))
        start = process_time()
        for path in paths:
            apstar.read_apstar(path)
        whole = process_time() - start
    spent["own work: ivar, rows, native types"] = whole - sum(spent.values())
    return {step: 1000.0 * seconds / len(paths) for step, seconds in spent.items()}


def _by_astropy(path: Path) -> list[object]:
    """What a user would write with ``fits.open``: the three images in memory."""
    from astropy.io.fits.hdu.hdulist import fitsopen

    with fitsopen(path, memmap=False) as hdus:
        return [hdus[number].data for number in (1, 2, 3)]
