"""TheCannon 0.7.3, timed; runs in its own environment: ``python -m benchmarks.peers.thecannon time FOLDER RESULT``.

Its code is as it was released.  What is passed around it here:

- Training copies its label vectors once a pixel (19 GB for 17 labels), so it is called for a few hundred pixels at a time;
  pixels are independent.
- A ``Dataset`` measures the S/N of all spectra and plots; training and inference read only the attributes below.
- Its numbers are printed as they come: they go nowhere.
"""

from __future__ import annotations

import importlib.metadata
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from TheCannon.model import CannonModel

from benchmarks.clock import cpu_seconds
from benchmarks.peers.handover import Floats, Handover, Timing, scaled_note, write_timings

AT_ONCE = 256
"""Pixels that are trained in one call."""

SCALE_RATIO = 4.0
"""Its scales are a quarter of ours: (97.5th - 2.5th percentile) / 4."""


class _Spectra(SimpleNamespace):
    """What of a ``Dataset`` training and inference read."""

    def get_plotting_labels(self) -> list[str]:
        return list(self.names)

    def set_test_label_vals(self, values: Floats) -> None:
        self.test_label_vals = values


def train(data: Handover, count: int) -> Timing:
    """Train some pixels: likelihood, on a grid of scatters and a parabola."""
    pixels = data.some_pixels(count)
    parts = np.array_split(pixels, max(1, len(pixels) // AT_ONCE))
    sets = [
        _Spectra(
            wl=part,
            tr_label=data.labels,
            tr_flux=np.array(data.train_flux[:, part]),
            tr_ivar=np.array(data.train_ivar[:, part]),
            names=data.names,
        )
        for part in parts
    ]
    seconds = cpu_seconds(lambda: [CannonModel(2, useErrors=False).train(part) for part in sets])
    return Timing(seconds * data.n_pixels / len(pixels), scaled_note(len(pixels), data.n_pixels, "pixels"))


def infer(data: Handover, count: int, starts: int) -> Timing:
    """Infer labels with our coefficients; it knows one start, so that ten are ten calls."""
    model = _with_our_coefficients(data)
    spectra = _Spectra(test_flux=np.array(data.flux[:count]), test_ivar=np.array(data.ivar[:count]), names=data.names)
    guesses = [None] if starts == 1 else list((data.starts - data.offsets) / data.scales * SCALE_RATIO)
    seconds = cpu_seconds(lambda: [model.infer_labels(spectra, starting_guess=guess) for guess in guesses])
    return Timing(len(spectra.test_flux) / seconds, f"{len(spectra.test_flux)} spectra")


def infer_one(data: Handover) -> Timing:
    """Labels of stars one by one, from ten starts."""
    rate = infer(data, 20, 10)
    return Timing(1000.0 / rate.value, "20 stars")


def _with_our_coefficients(data: Handover) -> Any:
    powers = [tuple(int(power) for power in row) for row in _powers(len(data.names))]
    model = CannonModel(2, useErrors=False)
    model.coeffs = data.coefficients(powers) / SCALE_RATIO ** np.array([sum(row) for row in powers])
    model.scatters = np.sqrt(data.s2)
    model.pivots, model.scales = data.offsets, data.scales / SCALE_RATIO
    return model


def _powers(n_labels: int) -> list[Any]:
    """Powers of its terms: the constant, the labels, the upper triangle of their products."""
    unit = np.eye(n_labels, dtype=int)
    first, second = np.triu_indices(n_labels)
    return [np.zeros(n_labels, dtype=int), *unit, *(unit[first] + unit[second])]


def time(folder: Path, result: Path) -> None:
    """Time everything, on ``3.npz`` and, if it is there, ``17.npz`` of a folder."""
    three = Handover.read(folder / "3.npz")
    works = {
        "train-3-likelihood": partial(train, three, three.n_pixels),
        "infer-3-1": partial(infer, three, 200, 1),
        "infer-3-10": partial(infer, three, 20, 10),
        "infer-one": partial(infer_one, three),
    }
    if (folder / "17.npz").exists():
        many = Handover.read(folder / "17.npz")
        works["train-17"] = partial(train, many, 20)
        works["infer-17"] = partial(infer, many, 10, 1)
    versions = {name: importlib.metadata.version(name) for name in ("thecannon", "numpy", "scipy")}
    write_timings(result, works, versions)


if __name__ == "__main__":
    time(Path(sys.argv[2]), Path(sys.argv[3]))
