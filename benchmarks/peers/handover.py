"""What an implementation is handed, and what it gives back: plain numpy, for it runs in another environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Handover(NamedTuple):
    """Training stars, spectra, and our model of the former, for those works that need some model.

    ``train_pixels`` says which of the model's P pixels the training spectra have: all, or some where more would take
    hours.
    """

    labels: Floats  # (N, L)
    train_flux: Floats  # (N, p)
    train_ivar: Floats  # (N, p)
    train_pixels: NDArray[np.intp]  # (p,)
    flux: Floats  # (M, P)
    ivar: Floats  # (M, P)
    theta: Floats  # (P, T)
    s2: Floats  # (P,)
    powers: NDArray[np.int64]  # (T, L), of the scaled labels in each term
    offsets: Floats  # (L,)
    scales: Floats  # (L,)
    starts: Floats  # (10, L), in the labels' units

    @property
    def n_pixels(self) -> int:
        """Number of pixels P of the model."""
        return len(self.s2)

    @property
    def names(self) -> list[str]:
        """Names of the labels, of no meaning."""
        return [f"l{k:02d}" for k in range(self.labels.shape[1])]

    def write(self, path: Path) -> None:
        """Write an .npz."""
        np.savez(path, **self._asdict())

    @classmethod
    def read(cls, path: Path) -> Handover:
        """Read what :meth:`write` wrote."""
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in cls._fields})

    def some_pixels(self, count: int) -> NDArray[np.intp]:
        """Return at most so many of the training spectra's pixels, evenly spaced."""
        available = self.train_flux.shape[1]
        return np.unique(np.linspace(0, available - 1, min(count, available)).astype(np.intp))

    def coefficients(self, powers: list[tuple[int, ...]]) -> Floats:
        """Return our coefficients with their terms in another order, each given by its powers; shape (P, T)."""
        position = {tuple(int(power) for power in row): place for place, row in enumerate(self.powers)}
        return self.theta[:, [position[row] for row in powers]]


class Timing(NamedTuple):
    """A figure in the quantity of its row, and what was done for it."""

    value: float
    note: str


def scaled_note(done: int, of: int, what: str) -> str:
    """Say that a figure was measured on a part, and scaled."""
    return f"all {of} {what}" if done >= of else f"{done} of {of} {what}, scaled"


def write_timings(path: Path, works: Mapping[str, Callable[[], Timing]], versions: dict[str, str]) -> None:
    """Run every work, and write the figures as JSON; progress is told on standard error."""
    rows: dict[str, Any] = {}
    for key, work in works.items():
        sys.stderr.write(f"  {key}\n")
        with _silence():
            rows[key] = work()._asdict()
    path.write_text(json.dumps({"rows": rows, "versions": versions}), encoding="utf-8")


@contextmanager
def _silence() -> Iterator[None]:
    """What it prints goes nowhere, nor what programs print that it calls: progress bars, complaints about no terminal."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
