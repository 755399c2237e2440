"""What is said of a model in numbers: how well it gave labels of stars held back, and how two models' labels differ.

Plain values that go to JSON and back; nothing here reads or writes a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from apogee_labels.core.plain import plain

if TYPE_CHECKING:
    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.core.arrays import Floats

MANY_SIGMA = 3.0
"""Reduced chi-square above which a spectrum counts as not described, as the result's flag has it."""


@dataclass(frozen=True, kw_only=True)
class LabelNumbers:
    """A label of stars held back, in its own unit; all NaN where a model was not validated."""

    bias: float
    """Mean of held-out less training label."""
    rms: float
    """Root mean square of the same."""
    pull: float
    """Half the width of the central 68 % of the same over the label's errors: 1 where errors are honest, whatever a few
    stars that no model describes do."""
    spread: float
    """Standard deviation of the training labels: the rms of a model that knows nothing."""


@dataclass(frozen=True, kw_only=True)
class ModelNumbers:
    """What validation found about a model, and what it was made of."""

    model_id: str
    training_set: str
    label_names: tuple[str, ...]
    order: int
    regularization: float | str
    n_stars: int
    n_folds: int
    """0: the model was not validated, for it has too few stars."""
    n_held_out: int
    """Stars held back that have labels."""
    n_failed: int
    """Stars held back whose spectra gave no labels."""
    n_components: int
    corrected: bool
    """Whether inference corrects for the coefficients' noise."""
    labels: Mapping[str, LabelNumbers]
    empirical: Mapping[str, float]
    """Error beyond the formal one that is added to every star's, by label."""
    chi_square: Mapping[str, float]
    """Of the reduced chi-square of stars held back: ``p5``, ``p16``, ``median``, ``p84``, ``p95``, and ``high``, the share
    above 3.  Empty: not validated."""

    @classmethod
    def unknown(cls, model_id: str, label_names: Sequence[str], n_stars: int) -> ModelNumbers:
        """Return what is said of a model whose file cannot be read: nothing to judge by."""
        return cls(
            model_id=model_id,
            training_set="",
            label_names=tuple(label_names),
            order=0,
            regularization=0.0,
            n_stars=n_stars,
            n_folds=0,
            n_held_out=0,
            n_failed=0,
            n_components=0,
            corrected=False,
            labels={name: _label(math.nan, math.nan, math.nan, math.nan) for name in label_names},
            empirical={},
            chi_square={},
        )

    @property
    def validated(self) -> bool:
        """Whether there is anything to judge by."""
        return self.n_folds > 0 and self.n_held_out > 0

    @property
    def failed_share(self) -> float:
        """Share of the stars held back whose spectra gave no labels."""
        total = self.n_held_out + self.n_failed
        return self.n_failed / total if total else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; what is not a number is null."""
        return dict(plain(asdict(self)))


@dataclass(frozen=True, kw_only=True)
class LabelShift:
    """Labels of reference stars by a new model less those by the model in force, in the label's unit."""

    mean: float
    scatter: float
    """Standard deviation."""
    largest: float
    """Of the absolute differences."""
    error: float
    """Median error of the label by the model in force."""
    n_stars: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A new model and the model in force on the same spectra of reference stars."""

    n_stars: int
    """Reference stars that there are."""
    n_compared: int
    """Those with labels by both models."""
    n_left_out: int
    """Those whose spectra are nowhere any more."""
    n_failed: int
    """Those that have labels by the model in force, and none that count by the new one."""
    n_failed_before: int
    """The other way round."""
    n_outside: int
    """Those that lie outside the new model's training set, and inside that of the model in force."""
    shifts: Mapping[str, LabelShift]
    fault: str = ""
    """Why nothing could be compared, if so."""

    @property
    def failed_share(self) -> float:
        """Share of the stars which the new model loses."""
        total = self.n_compared + self.n_failed
        return self.n_failed / total if total else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; what is not a number is null."""
        return dict(plain(asdict(self)))


def numbers_of(model: CannonModel, identity: str) -> ModelNumbers:
    """Return what a model says of itself."""
    found, names = model.validation, model.label_names
    regularization = model.metadata.get("regularization", 0.0)
    numbers = replace(
        ModelNumbers.unknown(identity, names, len(model.training_labels)),
        training_set=str(model.metadata.get("training_set", "")),
        order=model.vectorizer.order,
        regularization=regularization if isinstance(regularization, int | float) else str(regularization),
        corrected=bool(model.corrects),
        n_components=int(model.loadings.shape[1]),
    )
    if found is None:
        return numbers
    import numpy as np

    good = np.isfinite(found.labels).all(axis=1)
    spread = model.training_labels.std(axis=0)
    beyond = np.sqrt(np.maximum(np.diagonal(found.beyond[int(found.corrected)]), 0.0))
    labels = zip(names, found.bias, found.rms, _pulls(found.residuals[good] / found.errors[good]), spread, strict=True)
    return replace(
        numbers,
        n_folds=found.n_folds,
        n_held_out=int(good.sum()),
        n_failed=int((~good).sum()),
        labels={name: _label(*each) for name, *each in labels},
        empirical=dict(zip(names, beyond.tolist(), strict=True)),
        chi_square=_chi_square(found.reduced_chi_sq),
    )


def shift_of(new: Floats, old: Floats, errors: Floats) -> LabelShift:
    """Return how one label of the same stars differs; arrays of shape (N,), N at least 1, all finite."""
    import numpy as np

    difference = new - old
    return LabelShift(
        mean=float(difference.mean()),
        scatter=float(difference.std()),
        largest=float(np.abs(difference).max()),
        error=float(np.median(errors)),
        n_stars=len(difference),
    )


def _label(bias: float, rms: float, pull: float, spread: float) -> LabelNumbers:
    return LabelNumbers(bias=float(bias), rms=float(rms), pull=float(pull), spread=float(spread))


def _pulls(ratios: Floats) -> Floats:
    """Width of residuals over errors, shape (N, L), of each label; NaN without a star."""
    import numpy as np

    if not len(ratios):
        return np.full(ratios.shape[1], np.nan)
    low, high = np.percentile(ratios, [16.0, 84.0], axis=0)
    return np.asarray(0.5 * (high - low))


def _chi_square(values: Floats) -> dict[str, float]:
    import numpy as np

    good = values[np.isfinite(values)]
    if not len(good):
        return {}
    names = {"p5": 5.0, "p16": 16.0, "median": 50.0, "p84": 84.0, "p95": 95.0}
    found = dict(zip(names, np.percentile(good, list(names.values())).tolist(), strict=True))
    return found | {"high": float((good > MANY_SIGMA).mean())}
