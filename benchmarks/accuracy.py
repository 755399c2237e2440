"""How right the labels and their errors are: ``python -m benchmarks.accuracy`` (``make bench-accuracy``).

Prints the tables of docs/engine.md: what each of the engine's corrections changes, on synthetic giants whose truth is
known (:mod:`benchmarks.giants`), or on a training set and a test set of your own, in the tutorial's format.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from apogee_labels.cannon.inference.inference import Inference
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.training_set import TrainingSet
from benchmarks.clock import say
from benchmarks.data import synthetic
from benchmarks.giants import UNITS, giants
from benchmarks.report import table

LABEL_NOISE = (50.0, 0.1, 0.03, 0.03)
"""Errors that are put on training labels: K, dex, dex, dex."""

BRIGHT = 70.0
"""Signal-to-noise ratio above which stars count."""

_TRUE_SCATTER = 0.005  # of benchmarks.data


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--training-set", type=Path, help="with labels TEFF, LOGG, FE_H, ALPHA_FE")
    parser.add_argument("--test-set", type=Path, help="stars of known labels that are not in the training set")
    options = parser.parse_args(arguments)
    if (options.training_set is None) != (options.test_set is None):
        parser.error("give both --training-set and --test-set, or neither")
    if options.training_set is None:
        train, test, faint = (
            giants(800, seed=1, snr=(150, 400)), giants(400, seed=2, snr=(75, 300)), giants(400, seed=3, snr=(43, 47)),
        )  # fmt: skip
        source = "synthetic giants: 800 to train (S/N 150 to 400), 400 to test"
    else:
        train, test = TrainingSet.read(options.training_set), TrainingSet.read(options.test_set)
        faint, source = fainter(test, 45.0), f"{options.training_set.name}, {options.test_set.name}"
    sys.stdout.write(f"Data: {source}. rms in {', '.join(UNITS)}; pulls are rms of error over formal error.\n")
    for title, text in (
        ("Intrinsic scatter over the truth, median over pixels", scatter_table()),
        ("Residual continuum marginalised, S/N 45", continuum_table(train, faint)),
        (f"Noise of the coefficients, S/N above {BRIGHT:.0f}", noise_table(train, test)),
        ("Unmodelled variation: ALPHA_FE varies and is no label", latent_table(train, test)),
        ("Noisy training labels (50 K, 0.1, 0.03, 0.03)", noisy_table(train, test)),
        ("Empirical errors, without components: pulls", error_table(train, test)),
    ):
        sys.stdout.write(f"\n**{title}**\n\n{text}\n")
        sys.stdout.flush()


def scatter_table() -> str:
    """Scatter found over the true one, for each rule."""
    rows = []
    for n_labels, n_stars in ((3, 1624), (3, 200), (17, 1624)):
        say(f"scatter: {n_labels} labels, {n_stars} stars")
        sample = synthetic(n_labels, n_stars=n_stars, n_spectra=1, n_pixels=512)
        models = (CannonModel.train(sample.training_set, scatter_rule=rule, validate=False) for rule in ScatterRule)
        ratios = [float(np.median(np.sqrt(model.s2[model.informative])) / _TRUE_SCATTER) for model in models]
        rows.append((f"{n_labels} labels, {n_stars} stars", *(f"{ratio:.3f}" for ratio in ratios)))
    return table(("training", *(str(rule) for rule in ScatterRule)), rows)


def continuum_table(train: TrainingSet, faint: TrainingSet) -> str:
    """Labels with and without the residual continuum as nuisances."""
    say("residual continuum")
    model = CannonModel.train(train, validate=False)
    results = {way: model.infer(faint.flux, faint.ivar, marginalize_continuum=way) for way in (False, True)}
    return _table(faint, [("projected out" if way else "left in", result) for way, result in results.items()])


def noise_table(train: TrainingSet, test: TrainingSet) -> str:
    """Labels with and without the correction for the coefficients' noise."""
    say("noise of the coefficients")
    model = CannonModel.train(train, validate=False)
    results = {way: model.infer(test.flux, test.ivar, correct_coefficient_noise=way) for way in (False, True)}
    return _table(test, [("corrected" if way else "not corrected", result) for way, result in results.items()])


def latent_table(train: TrainingSet, test: TrainingSet) -> str:
    """Three labels of four, without components and with as many as validation finds."""
    rows = []
    three, truth = train.select(train.label_names[:3]), test.select(test.label_names[:3])
    for count in (0, None):
        say("latent components: none" if count == 0 else "latent components: validated")
        model = CannonModel.train(three, latent_components=count)
        name = f"{model.loadings.shape[1]} components{'' if count == 0 else ', validated'}"
        rows.append((name, model.infer(truth.flux, truth.ivar)))
    return _table(truth, rows)


def noisy_table(train: TrainingSet, test: TrainingSet) -> str:
    """Noisy training labels: nothing, everything, and what validation chooses."""
    say("noisy training labels")
    noise = np.random.default_rng(5).normal(0.0, LABEL_NOISE[: train.labels.shape[1]], train.labels.shape)
    noisy = replace(train, labels=train.labels + noise, digest="")
    plain, most = (CannonModel.train(noisy, validate=False, latent_components=count) for count in (0, 8))
    found = CannonModel.train(noisy)
    chosen = f"validated: {found.loadings.shape[1]} components, {'' if found.corrects else 'not '}corrected"
    return _table(
        test,
        [
            ("neither", plain.infer(test.flux, test.ivar, correct_coefficient_noise=False)),
            ("8 components, corrected", most.infer(test.flux, test.ivar, correct_coefficient_noise=True)),
            (chosen, found.infer(test.flux, test.ivar)),
        ],
    )


def error_table(train: TrainingSet, test: TrainingSet) -> str:
    """Pulls by the formal and by the empirical errors."""
    say("empirical errors")
    three, truth = train.select(train.label_names[:3]), test.select(test.label_names[:3])
    model = CannonModel.train(three, latent_components=0)
    result = model.infer(truth.flux, truth.ivar)
    bright = result.snr > BRIGHT
    error = (result.labels - truth.labels)[bright]
    rows = [
        (name, *(f"{pull:.2f}" for pull in (error / size[bright]).std(axis=0)))
        for name, size in (("raw_e_<label>, formal", result.raw_errors), ("e_<label>", result.errors))
    ]
    return table(("errors", *truth.label_names), rows)


def fainter(stars: TrainingSet, snr: float) -> TrainingSet:
    """The same stars with noise added, down to a signal-to-noise ratio."""
    sigma = np.sqrt(np.maximum(snr**-2.0 - 1.0 / np.maximum(stars.ivar, 1.0), 0.0))
    flux = stars.flux + sigma * np.random.default_rng(4).standard_normal(stars.flux.shape)
    ivar = np.where(stars.ivar > 0.0, 1.0 / (1.0 / np.maximum(stars.ivar, 1e-30) + sigma**2), 0.0)
    return replace(stars, flux=flux, ivar=ivar, digest="")


def _table(stars: TrainingSet, rows: Sequence[tuple[str, Inference]]) -> str:
    lines = []
    for name, result in rows:
        chosen = result.snr > min(BRIGHT, 0.5 * float(np.median(result.snr)))
        error = (result.labels - stars.labels)[chosen]
        rms = np.sqrt((error**2).mean(axis=0))
        pulls = np.sqrt(((error / result.raw_errors[chosen]) ** 2).mean(axis=0))
        sizes = [f"{value:.1f}" if unit == "K" else f"{value:.4f}" for value, unit in zip(rms, UNITS, strict=False)]
        lines.append((name, *sizes, ", ".join(f"{pull:.2f}" for pull in pulls)))
    return table(("", *(f"rms {name}" for name in stars.label_names), "pulls"), lines)


if __name__ == "__main__":
    main()
