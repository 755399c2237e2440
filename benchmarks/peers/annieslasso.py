"""AnniesLasso 0.2.96 (module ``thecannon``), timed, or asked for its solutions; runs in its own environment.

``python -m benchmarks.peers.annieslasso time FOLDER RESULT`` or ``... solve PROBLEM RESULT``.  Its code is as it was
released.  Its log, one line a pixel where its optimiser complains, is switched off.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clock import cpu_seconds
from benchmarks.peers.handover import Floats, Handover, Timing, scaled_note, write_timings

logging.disable(logging.CRITICAL)
import thecannon  # noqa: E402 - its import logs, and it installs a handler
from thecannon.fitting import fit_pixel_fixed_scatter, fit_theta_by_linalg  # noqa: E402

SPECTRA = {1: 200, 10: 40}
"""Spectra whose labels of 3 are inferred from so many starts."""


def powers_of(vectorizer: Any) -> list[tuple[int, ...]]:
    """Powers of the labels in each of its terms, the constant first."""
    found = [(0,) * len(vectorizer.label_names)]
    for term in vectorizer.terms:
        powers = dict(term)
        found.append(tuple(int(powers.get(label, 0)) for label in range(len(vectorizer.label_names))))
    return found


def model_of(data: Handover, pixels: NDArray[np.intp], *, l1: float = 0.0) -> Any:
    """Make its model of some pixels, not trained."""
    vectorizer = thecannon.vectorizer.PolynomialVectorizer(data.names, 2)
    flux, ivar = np.array(data.train_flux[:, pixels]), np.array(data.train_ivar[:, pixels])
    return thecannon.CannonModel(data.labels, flux, ivar, vectorizer, regularization=l1)


def train(data: Handover, count: int, l1: float = 0.0) -> Timing:
    """Train some pixels, by its median rule."""
    pixels = data.some_pixels(count)
    model = model_of(data, pixels, l1=l1)
    seconds = cpu_seconds(model.train)
    return Timing(seconds * data.n_pixels / len(pixels), scaled_note(len(pixels), data.n_pixels, "pixels"))


def infer(data: Handover, count: int, starts: int) -> Timing:
    """Infer labels with our coefficients, from its one default start or from ours."""
    model, flux, ivar = _with_our_coefficients(data), data.flux[:count], data.ivar[:count]
    initial = None if starts == 1 else data.starts
    model.test(flux[:1], ivar[:1], initial_labels=initial)
    seconds = cpu_seconds(lambda: model.test(flux, ivar, initial_labels=initial))
    return Timing(len(flux) / seconds, f"{len(flux)} spectra")


def infer_one(data: Handover) -> Timing:
    """Labels of stars one by one, from ten starts."""
    model, count = _with_our_coefficients(data), 20
    seconds = cpu_seconds(
        lambda: [model.test(data.flux[row], data.ivar[row], initial_labels=data.starts) for row in range(count)]
    )
    return Timing(1000.0 * seconds / count, f"{count} stars, one a call")


def _with_our_coefficients(data: Handover) -> Any:
    model = model_of(data, data.some_pixels(1))
    model._theta, model._s2 = data.coefficients(powers_of(model.vectorizer)), data.s2
    return model


def time(folder: Path, result: Path) -> None:
    """Time everything, on ``3.npz`` and, if it is there, ``17.npz`` of a folder."""
    three = Handover.read(folder / "3.npz")
    works = {
        "train-3": partial(train, three, three.n_pixels),
        "train-3-l1": partial(train, three, 400, 100.0),
        "infer-3-1": partial(infer, three, SPECTRA[1], 1),
        "infer-3-10": partial(infer, three, SPECTRA[10], 10),
        "infer-one": partial(infer_one, three),
    }
    if (folder / "17.npz").exists():
        many = Handover.read(folder / "17.npz")
        works["train-17"] = partial(train, many, 60)
        works["train-17-l1"] = partial(train, many, 16, 100.0)
        works["infer-17"] = partial(infer, many, 10, 1)
    versions = {name: importlib.metadata.version(name) for name in ("annieslasso", "numpy", "scipy")}
    write_timings(result, works, versions)


def solve(problem: Path, result: Path) -> None:
    """Coefficients at a given scatter, without L1 and with each of some Lambdas; terms by their powers.

    It knows no training at a given scatter: ``fit_theta_by_linalg`` takes the scatter, and
    ``fit_pixel_fixed_scatter`` fits theta with the inverse variances that it gets, before the scatter.
    """
    with np.load(problem) as arrays:
        scaled, flux, ivar, s2, lambdas = (arrays[name] for name in ("scaled", "flux", "ivar", "s2", "lambdas"))
    names = [f"l{k:02d}" for k in range(scaled.shape[1])]
    vectorizer = thecannon.vectorizer.PolynomialVectorizer(names, 2)
    design = vectorizer(scaled).T
    pixels = range(flux.shape[1])
    plain = np.array([fit_theta_by_linalg(flux[:, p], ivar[:, p], s2[p], design)[0] for p in pixels])
    weight: Floats = ivar / (1.0 + ivar * s2)
    with_l1 = [
        [
            fit_pixel_fixed_scatter(flux[:, p], weight[:, p], [(plain[p], "linear")], design.copy(), l1, None)[0]
            for p in pixels
        ]
        for l1 in lambdas
    ]
    np.savez(result, plain=plain, with_l1=np.array(with_l1), powers=np.array(powers_of(vectorizer)))


if __name__ == "__main__":
    {"time": time, "solve": solve}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
