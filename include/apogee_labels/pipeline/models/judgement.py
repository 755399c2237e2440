"""Whether a new model may come into force by itself, or a person is to be asked: a rule over numbers, and nothing else.

A model is *no worse* when none of the sentences below is said.  Each says which number, what was tolerated, and what came.
The tolerances are of two kinds: what no user of the labels would notice, and what chance does to a number from so few
stars.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field

from apogee_labels.core.labels import LabelKind, label_of
from apogee_labels.core.parameters import Parameters
from apogee_labels.pipeline.models.model_numbers import Comparison, ModelNumbers

Kind = TypeVar("Kind")
CHANCE = 2.0
"""Standard errors within which two numbers of stars held back count as equal."""
Tolerance = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Tolerances(Parameters):
    """How much worse than the model in force a model may be, and how good the first of a name has to be.

    Shifts within theirs leave the labels of two models those of one survey.  The rms may grow by a tenth, which is
    what two halves of one training set differ by; below the ``least`` of its kind nobody sees it.
    """

    rms_percent: Tolerance = Field(
        10.0,
        title="rms may be larger by, %",
        description="Of each label of stars held back; what chance does comes on top.",
    )
    least_teff: Tolerance = Field(10.0, title="Differences of TEFF that never count, K", description="In rms and bias.")
    least_logg: Tolerance = Field(0.02, title="The same of LOGG, dex", description="In rms and bias.")
    least_abundance: Tolerance = Field(0.01, title="The same of abundances, dex", description="In rms and bias.")
    shift_teff: Tolerance = Field(
        25.0, title="TEFF of reference stars may move by, K", description="In the mean, against the model in force."
    )
    shift_logg: Tolerance = Field(
        0.05, title="LOGG of reference stars may move by, dex", description="In the mean, against the model in force."
    )
    shift_abundance: Tolerance = Field(
        0.03,
        title="Abundances of reference stars may move by, dex",
        description="In the mean, against the model in force.",
    )
    shift_errors: Tolerance = Field(
        0.5, title="Any other label may move by, in its errors", description="In the mean of the reference stars."
    )
    pull_low: Tolerance = Field(0.5, title="Pulls from", description="Width of residuals over errors, for each label.")
    pull_high: Tolerance = Field(2.0, title="Pulls to", description="The same.")
    chi_square_low: Tolerance = Field(0.5, title="Median reduced chi-square from", description="Of stars held back.")
    chi_square_high: Tolerance = Field(2.0, title="Median reduced chi-square to", description="Of stars held back.")
    failed_percent: Tolerance = Field(
        5.0, title="Stars without labels, %", description="Of stars held back, and of reference stars."
    )
    outside_percent: Tolerance = Field(
        30.0, title="Reference stars newly outside the training set, %", description="Their labels are extrapolated."
    )
    first_teff: Tolerance = Field(
        150.0, title="First model: rms of TEFF up to, K", description="Where no model of the name is in force."
    )
    first_logg: Tolerance = Field(
        0.3, title="First model: rms of LOGG up to, dex", description="Where no model of the name is in force."
    )
    first_abundance: Tolerance = Field(
        0.15, title="First model: rms of abundances up to, dex", description="Where no model of the name is in force."
    )
    first_spread_percent: Tolerance = Field(
        60.0, title="First model: rms up to, % of the spread", description="Of the training labels' standard deviation."
    )

    def as_json(self) -> dict[str, float]:
        """Return them by name."""
        return self.model_dump()

    def shift(self, label: str, error: float) -> float:
        """Return how far the mean of a label of reference stars may move, in the label's unit."""
        return _by_kind(label, self.shift_teff, self.shift_logg, self.shift_abundance, self.shift_errors * error)

    def least(self, label: str, rms: float) -> float:
        """Return the difference in rms or bias that never counts, in the label's unit."""
        own = 0.2 * self.shift_errors * rms if math.isfinite(rms) else 0.0
        return _by_kind(label, self.least_teff, self.least_logg, self.least_abundance, own)

    def first(self, label: str, spread: float) -> float:
        """Return the largest rms of the first model of a name, in the label's unit."""
        own = 0.01 * self.first_spread_percent * spread
        return min(own, _by_kind(label, self.first_teff, self.first_logg, self.first_abundance, math.inf))


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the rule says of a model."""

    accepted: bool
    """True: it may come into force by itself; False: a person is asked."""
    reasons: tuple[str, ...]
    """Why a person is asked; or, when nobody is, what was looked at."""

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"accepted": self.accepted, "reasons": list(self.reasons)}

    @property
    def sentence(self) -> str:
        """The reasons in one line."""
        return " ".join(self.reasons)


def judge(
    new: ModelNumbers, old: ModelNumbers | None, comparison: Comparison | None, tolerances: Tolerances
) -> Judgement:
    """Judge a model.

    Parameters
    ----------
    new
        The model.
    old
        The model in force; None: there is none, the model is the first of its name.
    comparison
        Both on reference stars; None: there are no such stars yet.
    tolerances
        What is tolerated.
    """
    if not new.validated:
        reason = (
            f"The model was not validated: {new.n_stars} stars are too few for its {len(new.label_names)} labels at order "
            f"{new.order}."
        )
        return Judgement(accepted=False, reasons=(reason, *_shifts(comparison, tolerances)))
    worse = [*_of_itself(new, tolerances)]
    worse += _as_first(new, tolerances) if old is None else _against(new, old, tolerances)
    worse += _shifts(comparison, tolerances)
    if worse:
        return Judgement(accepted=False, reasons=tuple(worse))
    return Judgement(accepted=True, reasons=(_no_worse(new, old, comparison),))


def figure(value: float, label: str = "") -> str:
    """Write a number with three digits that count and the label's unit."""
    return f"{value:.3g} {label_of(label).unit}".rstrip()


def _of_itself(new: ModelNumbers, tolerances: Tolerances) -> Iterator[str]:
    """What is wrong with a model whatever is in force."""
    low, high = tolerances.pull_low, tolerances.pull_high
    for name, found in new.labels.items():
        if not (math.isfinite(found.rms) and math.isfinite(found.bias)):
            yield f"{name}: its errors could not be found, no star held back has the label."
        elif not low <= found.pull <= high:
            yield f"{name}: pulls of {found.pull:.2f}, expected {low:g} to {high:g}: its errors are not to be believed."
    low, high = tolerances.chi_square_low, tolerances.chi_square_high
    median = new.chi_square.get("median", math.nan)
    if not low <= median <= high:
        yield f"The median reduced chi-square of stars held back is {median:.3g}, expected {low:g} to {high:g}."
    if 100.0 * new.failed_share > tolerances.failed_percent:
        yield (
            f"{new.n_failed} of {new.n_failed + new.n_held_out} stars held back have no labels, tolerated are "
            f"{tolerances.failed_percent:g} %."
        )


def _as_first(new: ModelNumbers, tolerances: Tolerances) -> Iterator[str]:
    for name, found in new.labels.items():
        limit = tolerances.first(name, found.spread)
        if found.rms > limit:
            yield (
                f"{name}: rms {figure(found.rms, name)}, the first model may have {figure(limit, name)} (the training "
                f"labels spread by {figure(found.spread, name)})."
            )


def _against(new: ModelNumbers, old: ModelNumbers, tolerances: Tolerances) -> Iterator[str]:
    """What is worse than in the model in force."""
    common = [name for name in new.label_names if name in old.labels]
    if not common:
        yield (
            f"No label of the model is one of the model in force: {', '.join(new.label_names)} against "
            f"{', '.join(old.label_names)}."
        )
    elif lost := [name for name in old.label_names if name not in new.labels]:
        yield f"The model in force has {', '.join(lost)}, and this one has not: no star would have a current value of it."
    if not old.validated:
        yield from _as_first(new, tolerances)
        return
    for name in common:
        ours, theirs = new.labels[name], old.labels[name]
        least = tolerances.least(name, theirs.rms)
        chance = CHANCE * theirs.rms * math.sqrt(0.5 / new.n_held_out + 0.5 / old.n_held_out)
        limit = theirs.rms * (1.0 + 0.01 * tolerances.rms_percent) + max(least, chance)
        if ours.rms > limit:
            yield (
                f"{name}: rms {figure(ours.rms, name)}, in force {figure(theirs.rms, name)}, tolerated up to "
                f"{figure(limit, name)}."
            )
        chance = CHANCE * ours.rms / math.sqrt(new.n_held_out)
        limit = abs(theirs.bias) + max(least, chance)
        if abs(ours.bias) > limit:
            yield (
                f"{name}: bias {figure(ours.bias, name)}, in force {figure(theirs.bias, name)}, tolerated up to "
                f"{figure(limit, name)} either way."
            )
    for name in new.label_names:
        if name not in old.labels and new.labels[name].rms > (limit := tolerances.first(name, new.labels[name].spread)):
            yield f"{name}, which is new: rms {figure(new.labels[name].rms, name)}, tolerated up to {figure(limit, name)}."


def _shifts(comparison: Comparison | None, tolerances: Tolerances) -> Iterator[str]:
    """How labels of reference stars move."""
    if comparison is None:
        return
    if comparison.fault:
        yield f"The reference stars could not be compared: {comparison.fault}"
        return
    if not comparison.n_compared:
        yield f"None of {comparison.n_stars} reference stars could be compared."
        return
    for name, shift in comparison.shifts.items():
        limit = tolerances.shift(name, shift.error)
        if abs(shift.mean) > limit:
            yield (
                f"{name}: {shift.n_stars} reference stars move by {figure(shift.mean, name)} in the mean, tolerated are "
                f"{figure(limit, name)} (scatter {figure(shift.scatter, name)})."
            )
    lost = comparison.n_failed - comparison.n_failed_before
    if 100.0 * lost > tolerances.failed_percent * (comparison.n_compared + comparison.n_failed):
        yield (
            f"{comparison.n_failed} of {comparison.n_compared + comparison.n_failed} reference stars have labels by the "
            f"model in force and none that count by this one, tolerated are {tolerances.failed_percent:g} %."
        )
    if 100.0 * comparison.n_outside > tolerances.outside_percent * comparison.n_compared:
        yield (
            f"{comparison.n_outside} of {comparison.n_compared} reference stars lie outside the training set, and inside "
            f"that of the model in force, tolerated are {tolerances.outside_percent:g} %."
        )


def _no_worse(new: ModelNumbers, old: ModelNumbers | None, comparison: Comparison | None) -> str:
    rms = ", ".join(f"{name} {figure(found.rms, name)}" for name, found in new.labels.items())
    if old is None:
        return f"The first model of its name is within the limits: rms {rms}."
    before = ", ".join(f"{name} {figure(found.rms, name)}" for name, found in old.labels.items())
    stars = "no reference stars yet" if comparison is None else f"{comparison.n_compared} reference stars stay"
    return f"No worse than the model in force: rms {rms}; in force {before}; {stars}."


def _by_kind(label: str, teff: Kind, logg: Kind, abundance: Kind, other: Kind) -> Kind:
    kinds = {LabelKind.TEMPERATURE: teff, LabelKind.GRAVITY: logg, LabelKind.ABUNDANCE: abundance}
    return kinds.get(label_of(label).kind, other)
