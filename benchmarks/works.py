"""The rows of the table: what is done, how it is measured, and what the project has set itself (issue 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from apogee_labels.cannon.training.scatter import ScatterRule
from benchmarks import isolated, reading
from benchmarks.clock import best_of, cpu_seconds
from benchmarks.engine_calls import infer, train
from benchmarks.quantities import Quantity
from benchmarks.workbench import Workbench

L1 = 100.0
"""Lambda of the rows with L1."""

_MANY, _FEW = 1000, 200  # spectra of 3 and of 17 labels; one call of many takes less than a second


class Work(NamedTuple):
    """A row."""

    key: str
    title: str
    quantity: Quantity
    target: float | None
    """In the quantity's unit; None: the project has set none."""
    measure: Callable[[Workbench], float]
    slow: bool = False
    """Takes minutes: only when asked for."""


def _training(
    n_labels: int, rule: ScatterRule = ScatterRule.RESTRICTED, l1: float = 0.0, *, noise: bool = True
) -> Callable[[Workbench], float]:
    def measure(bench: Workbench) -> float:
        repeats = bench.repeats if n_labels < 10 else 1  # a disturbance does not last for many seconds
        return bench.seconds_of_training(n_labels, rule, l1, repeats=repeats, noise=noise)

    return measure


def _inference(n_labels: int, starts: int, *, corrected: bool = False) -> Callable[[Workbench], float]:
    def measure(bench: Workbench) -> float:
        sample, model = bench.sample(n_labels), bench.model(n_labels)
        flux, ivar = (array[: _MANY if n_labels < 10 else _FEW] for array in (sample.flux, sample.ivar))
        infer(model, flux[:2], ivar[:2], starts=starts, corrected=corrected)  # what a model keeps is made once
        seconds = best_of(lambda: infer(model, flux, ivar, starts=starts, corrected=corrected), bench.repeats)
        return len(flux) / seconds

    return measure


def _validated(bench: Workbench) -> float:
    training_set = bench.sample(3).training_set
    return cpu_seconds(lambda: train(training_set, validate=True))


def _one_star(bench: Workbench) -> float:
    sample, model = bench.sample(3), bench.model(3)
    infer(model, sample.flux[:2], sample.ivar[:2])
    rows = [slice(row, row + 1) for row in range(min(50, len(sample.flux)))]

    def work() -> None:
        for row in rows:
            infer(model, sample.flux[row], sample.ivar[row])

    return 1000.0 * best_of(work, bench.repeats) / len(rows)


def _continuum(which: str) -> Callable[[Workbench], float]:
    return lambda bench: isolated.continuum_rates(bench.repeats)[which]


_LIKELIHOOD = ScatterRule.LIKELIHOOD

WORKS = (
    Work("train-3", "train 3 labels, restricted likelihood", Quantity.SECONDS, 1.0, _training(3)),
    Work("train-3-likelihood", "train 3 labels, likelihood", Quantity.SECONDS, None, _training(3, _LIKELIHOOD)),
    Work("train-3-l1", "train 3 labels, L1 with Lambda = 100", Quantity.SECONDS, 1.5, _training(3, l1=L1)),
    Work("train-3-validated", "train 3 labels and validate", Quantity.SECONDS, None, _validated),
    Work("train-17", "train 17 labels", Quantity.SECONDS, 9.0, _training(17, noise=False)),
    Work("train-17-noise", "train 17 labels, noise of the coefficients kept", Quantity.SECONDS, None, _training(17)),
    Work("train-17-l1", "train 17 labels, L1", Quantity.SECONDS, 180.0, _training(17, l1=L1), slow=True),
    Work("infer-3-1", "infer 3 labels, 1 start, corrections off", Quantity.RATE, 8000.0, _inference(3, 1)),
    Work("infer-3-10", "infer 3 labels, 10 starts, corrections off", Quantity.RATE, 5000.0, _inference(3, 10)),
    Work(
        "infer-3-corrected",
        "infer 3 labels, 10 starts, corrections on",
        Quantity.RATE,
        3500.0,
        _inference(3, 10, corrected=True),
    ),
    Work("infer-17", "infer 17 labels, 1 start, corrections off", Quantity.RATE, 100.0, _inference(17, 1)),
    Work("infer-one", "one star, model in memory, 10 starts", Quantity.MILLISECONDS, 3.0, _one_star),
    Work("continuum-first", "continuum, 1000 spectra, first call", Quantity.RATE, 5000.0, _continuum("first")),
    Work("continuum-later", "continuum, 1000 spectra, later calls", Quantity.RATE, 5000.0, _continuum("later")),
    Work("read", "read HDU 1 to 3 of a DR17 apStar file", Quantity.RATE, None, reading.rate_of_read_apstar),
    Work("memory", "memory of training over the data", Quantity.MEGABYTES, 500.0, isolated.megabytes_of_training),
)
