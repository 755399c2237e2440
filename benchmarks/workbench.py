"""What the benchmarks work on, made when it is first asked for: samples of 3 and 17 labels, and models of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from apogee_labels.apogee.spectra.grid import N_PIXELS
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training.scatter import ScatterRule
from benchmarks.clock import cpu_seconds, say
from benchmarks.data import N_SPECTRA, N_STARS, Sample, from_file, synthetic
from benchmarks.engine_calls import train


class NotMeasuredError(Exception):
    """A row that cannot be measured with these data; the message says why."""


@dataclass
class Workbench:
    """Data and models.

    Parameters
    ----------
    repeats
        Calls of which the quickest counts.
    training_set
        A training set to take instead of the synthetic ones.
    archive
        A folder of apStar files to read instead of synthetic ones.
    n_stars, n_spectra, n_pixels
        Size of the synthetic samples.
    """

    repeats: int = 3
    training_set: Path | None = None
    archive: Path | None = None
    n_stars: int = N_STARS
    n_spectra: int = N_SPECTRA
    n_pixels: int = N_PIXELS
    _samples: dict[int, Sample | None] = field(default_factory=dict)
    _models: dict[int, CannonModel] = field(default_factory=dict)

    def sample(self, n_labels: int) -> Sample:
        """Return the sample of so many labels.

        Raises
        ------
        NotMeasuredError
            The given training set has fewer labels.
        """
        if n_labels not in self._samples:
            say(f"  data of {n_labels} labels")
            self._samples[n_labels] = self._make(n_labels)
        sample = self._samples[n_labels]
        if sample is None:
            raise NotMeasuredError(f"the training set has fewer than {n_labels} labels")
        return sample

    def model(self, n_labels: int) -> CannonModel:
        """Return a model of so many labels, by the default scatter rule and without L1."""
        if n_labels not in self._models:
            say(f"  a model of {n_labels} labels")
            self._models[n_labels] = train(self.sample(n_labels).training_set)
        return self._models[n_labels]

    def seconds_of_training(
        self, n_labels: int, rule: ScatterRule, l1: float, *, repeats: int, noise: bool = True
    ) -> float:
        """CPU seconds of training; the model of the default rule is kept for :meth:`model`."""
        training_set = self.sample(n_labels).training_set

        def work() -> None:
            model = train(training_set, rule, l1, noise=noise)
            if rule is ScatterRule.RESTRICTED and not l1:
                self._models[n_labels] = model

        return min(cpu_seconds(work) for _ in range(repeats))

    def descriptions(self) -> list[str]:
        """Say what was used."""
        return [f"{n} labels: {sample.description}" for n, sample in sorted(self._samples.items()) if sample]

    def _make(self, n_labels: int) -> Sample | None:
        if self.training_set is not None:
            return from_file(self.training_set, n_labels)
        return synthetic(n_labels, n_stars=self.n_stars, n_spectra=self.n_spectra, n_pixels=self.n_pixels)
