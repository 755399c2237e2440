"""Is a night like the others?  Medians of chi-square, S/N and the labels of repeat stars, against earlier nights.

Takes a night's results; makes its medians and, where one stands out, a sentence for people.  It is no fault: the labels
stay as they are, and a person looks.

A repeat star is one that was seen on other nights as well, and of which the same model has labels without this night:

- stacks: the content from before the night.  The new stack holds the old visits, so that both share their noise: of two such
  stacks with errors s and S the difference has the error sqrt(S^2 - s^2), and the night's own visits alone would have
  the label that lies S^2 / (S^2 - s^2) times as far away;
- visits: the other visits of the same file, their mean weighted by the inverse squares of their errors.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from apogee_labels.catalog.queries.results import FittedSpectrum
    from apogee_labels.pipeline.identities import ResultIdentities
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)

NIGHTS_BEFORE = 30
"""So many published nights before it a night is compared with: a lasting change is the new normal after half as many."""
FEWEST_NIGHTS = 8
FEWEST_STARS = 5
"""A median of fewer says nothing about a night."""
LIMIT = 5.0
"""Robust standard deviations beyond which a night stands out."""
LEAST_NEWS = 0.02
"""A stack whose errors a night shrinks by a smaller share says nothing about that night."""
NORMAL = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""
MEDIAN_LOSS = math.sqrt(math.pi / 2)
"""Error of a median in units of that of a mean, for a normal distribution."""


class _Kind(NamedTuple):
    """How a quantity is judged: as a logarithm or as it is, from which difference on, and what people are told."""

    logarithm: bool
    floor: float
    title: str
    advice: str


CHI_SQUARE, SNR, RESIDUAL = "rchi2", "snr", "residual_"
_KINDS: Mapping[str, _Kind] = {
    CHI_SQUARE: _Kind(
        True, 0.15, "the reduced chi-square",
        "look at the wavelength solution, the sky subtraction and the errors of its spectra",
    ),
    SNR: _Kind(True, 0.5, "the S/N", "look at the observing log (clouds, short exposures) and at the errors of its spectra"),
    RESIDUAL: _Kind(
        False, 0.5, "{label} of repeat stars, against their other nights and in units of the error,",
        "look at the wavelength solution and the continua of its spectra: the stars did not change",
    ),
}  # fmt: skip
"""Floors: 16 % of chi-square, a factor of 1.6 in S/N, half of a star's error.  Smaller changes are nothing to act on."""


@dataclass(frozen=True)
class Measure:
    """The median of one quantity over the stars of a night.

    ``scatter`` is the robust standard deviation of single stars, of the logarithm for chi-square and S/N; ``absolute`` is
    the median in the label's unit, for labels.
    """

    name: str
    median: float
    scatter: float
    n: int
    absolute: float | None = None

    @property
    def kind(self) -> _Kind:
        """How it is judged."""
        return _KINDS[RESIDUAL if self.name.startswith(RESIDUAL) else self.name]

    @property
    def level(self) -> float:
        """The median as it is compared."""
        return math.log(self.median) if self.kind.logarithm else self.median

    @property
    def error(self) -> float:
        """The standard error of :attr:`level`."""
        return MEDIAN_LOSS * self.scatter / math.sqrt(self.n)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"median": self.median, "scatter": self.scatter, "n": self.n, "absolute": self.absolute}


@dataclass(frozen=True)
class NightDrift:
    """The medians of a night, with how many earlier nights they were compared, and what stands out, in sentences."""

    visits: bool
    n_stars: int
    n_repeats: int
    measures: tuple[Measure, ...]
    n_nights: int = 0
    stands_out: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values, for the catalogue."""
        return {
            "visits": self.visits,
            "stars": self.n_stars,
            "repeats": self.n_repeats,
            "measures": {measure.name: measure.as_json() for measure in self.measures},
            "compared_with": self.n_nights,
            "stands_out": list(self.stands_out),
        }

    def lines(self) -> list[str]:
        """Return it as people read it."""
        if not self.measures:
            return []
        shown = [
            f"reduced chi-square {measure.median:.3g}" if measure.name == CHI_SQUARE
            else f"S/N {measure.median:.3g}" if measure.name == SNR
            else f"{_label_of(measure)} {measure.median:+.2f} of its error ({measure.absolute:+.3g})"
            for measure in self.measures
        ]  # fmt: skip
        lines = [f"Medians of {self.n_stars} star(s), {self.n_repeats} seen before: {', '.join(shown)}"]
        lines += [f"! {sentence}" for sentence in self.stands_out]
        if not self.stands_out and self.n_nights >= FEWEST_NIGHTS:
            lines.append(f"Nothing stands out against the {self.n_nights} nights before")
        return lines


def stands_out(summary: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what stood out in a night, from the summary that its run left; of a run before there was such a thing: none."""
    drift = (summary or {}).get("drift") or {}
    return tuple(drift.get("stands_out", ()))


def drift_of_night(
    workspace: Workspace,
    telescope: str,
    mjd: int,
    model_id: str | None,
    result_ids: Iterable[str],
    identities: ResultIdentities,
) -> NightDrift | None:
    """Return the medians of a night and what stands out, in two statements; None where no model is in force.

    Parameters
    ----------
    result_ids
        The results of the files that the run was answerable for; those of other nights' files do not count.
    """
    if model_id is None:
        return None
    spectra = workspace.catalog.results.of_stars_seen(telescope, mjd, model_id, visits=identities.visits)

    def counts(spectrum: FittedSpectrum) -> bool:
        return identities(spectrum.digest, model_id).result_id == spectrum.result_id

    listed = set(result_ids)
    measured = measure_visits if identities.visits else measure_stacks
    drift = measured([each for each in spectra if each.result_id in listed or counts(each)], listed, mjd)
    if not drift.measures:
        return drift
    published = workspace.catalog.nights.summaries_before(telescope, mjd, model_id, NIGHTS_BEFORE)
    judged = judge(drift, measures_of_nights(published, visits=drift.visits))
    for sentence in judged.stands_out:
        log.warning("%s, SDSS MJD %d stands out: %s", telescope, mjd, sentence)
    return judged


def measure_stacks(spectra: Sequence[FittedSpectrum], listed: set[str], mjd: int) -> NightDrift:
    """Return the medians of a night whose visits were stacked.

    Parameters
    ----------
    spectra
        Stacks of the night's stars: those of `listed`, and those of other contents.
    listed
        The results of the files of the run.
    mjd
        The night: a stack with later visits, which an old night has when it is analysed again, counts for chi-square and
        S/N and says nothing about repeats; so does one that has no content from before.
    """
    before: dict[tuple[str, str | None, str], FittedSpectrum] = {}
    for each in sorted(spectra, key=lambda each: (each.newest, each.digest)):
        if each.newest < mjd:
            before[each.obj, each.telescope, each.apred] = each  # the newest remains
    of_night = [each for each in spectra if each.result_id in listed and each.of_night]
    pairs = [
        (each, before[each.obj, each.telescope, each.apred])
        for each in of_night
        if each.newest == mjd and (each.obj, each.telescope, each.apred) in before
    ]
    return _drift(of_night, [_of_stacks(new, old) for new, old in pairs], visits=False)


def measure_visits(spectra: Sequence[FittedSpectrum], listed: set[str], mjd: int) -> NightDrift:
    """Return the medians of a night whose visits were analysed one by one; arguments as for :func:`measure_stacks`."""
    of_result: dict[str, list[FittedSpectrum]] = {}
    for each in spectra:
        if each.result_id in listed:
            of_result.setdefault(each.result_id, []).append(each)
    of_night = [each for rows in of_result.values() for each in rows if each.mjd == mjd]
    others = {key: [each for each in rows if each.mjd != mjd] for key, rows in of_result.items()}
    residuals = [_of_visits(each, others[each.result_id]) for each in of_night if others[each.result_id]]
    return _drift(of_night, residuals, visits=True)


def judge(drift: NightDrift, before: Sequence[Mapping[str, Measure]]) -> NightDrift:
    """Return a night with what stands out against the nights before it.

    A median stands out when it lies more than :data:`LIMIT` standard deviations from the median of theirs, and by more than
    a floor.  The deviation is made up of the scatter of the nights' medians (by their median absolute deviation, which a
    few bad nights do not move) and of this median's own error, for which the scatter of single stars on other nights counts
    where it is larger than on this one: a few stars may agree by chance.

    Parameters
    ----------
    before
        The measures of each night, by name.
    """
    sentences = []
    for measure in drift.measures:
        others = [night[measure.name] for night in before if measure.name in night]
        others = [other for other in others if other.n >= FEWEST_STARS]
        if measure.n < FEWEST_STARS or len(others) < FEWEST_NIGHTS:
            continue
        centre = median(other.level for other in others)
        between = NORMAL * median(abs(other.level - centre) for other in others)
        single = replace(measure, scatter=max(measure.scatter, median(other.scatter for other in others)))
        away, deviation = measure.level - centre, math.hypot(between, single.error)
        if abs(away) > max(measure.kind.floor, LIMIT * deviation):
            sentences.append(_sentence(measure, centre, len(others), abs(away) / deviation if deviation else math.inf))
    return replace(drift, n_nights=len(before), stands_out=tuple(sentences))


def measures_of_nights(
    published: Iterable[tuple[int, Mapping[str, Any]]], *, visits: bool, number: int = NIGHTS_BEFORE
) -> list[dict[str, Measure]]:
    """Return the measures of at most `number` nights from the summaries of their runs, as the catalogue gives them.

    Of the runs of a night the first in order counts that measured something of that kind.
    """
    nights: dict[int, dict[str, Measure]] = {}
    for mjd, summary in published:
        drift = summary.get("drift") or {}
        measures = drift.get("measures") or {}
        if mjd in nights or not measures or drift.get("visits") != visits:
            continue
        if len(nights) == number:
            break
        nights[mjd] = {name: Measure(name, **values) for name, values in measures.items()}
    return list(nights.values())


class _Residual(NamedTuple):
    """How far a label on the night lies from the same star's on other nights: in units of the error, and in its own."""

    relative: float
    absolute: float


def _of_stacks(new: FittedSpectrum, old: FittedSpectrum) -> dict[str, _Residual]:
    residuals = {}
    for name, (value, error) in new.labels.items():
        value_before, error_before = old.labels.get(name, (math.nan, math.nan))
        difference = value - value_before
        if math.isfinite(difference) and error < (1 - LEAST_NEWS) * error_before:
            variance = error_before**2 - error**2
            residuals[name] = _Residual(difference / math.sqrt(variance), difference * error_before**2 / variance)
    return residuals


def _of_visits(row: FittedSpectrum, others: Sequence[FittedSpectrum]) -> dict[str, _Residual]:
    residuals = {}
    for name, (value, error) in row.labels.items():
        known = [other.labels[name] for other in others if name in other.labels]
        known = [(value, error) for value, error in known if math.isfinite(value) and error > 0]
        if not known or not math.isfinite(value) or not error > 0:
            continue
        weight = sum(other**-2 for _, other in known)
        difference = value - sum(other * sigma**-2 for other, sigma in known) / weight
        residuals[name] = _Residual(difference / math.sqrt(error**2 + 1 / weight), difference)
    return residuals


def _drift(
    of_night: Sequence[FittedSpectrum], residuals: Sequence[Mapping[str, _Residual]], *, visits: bool
) -> NightDrift:
    measures = [
        _measure(CHI_SQUARE, [each.reduced_chi_sq for each in of_night]),
        _measure(SNR, [each.snr for each in of_night]),
    ]
    for name in dict.fromkeys(name for each in residuals for name in each):
        found = [each[name] for each in residuals if name in each]
        of_label = _measure(RESIDUAL + name, [residual.relative for residual in found])
        measures.append(of_label and replace(of_label, absolute=median(residual.absolute for residual in found)))
    n_repeats = sum(bool(each) for each in residuals)
    stars = len({each.obj for each in of_night})
    return NightDrift(visits, stars, n_repeats, tuple(measure for measure in measures if measure))


def _measure(name: str, values: Iterable[float]) -> Measure | None:
    """The median and the scatter of what is finite, and positive where its logarithm counts; None where nothing is."""
    of_kind = Measure(name, 1.0, 0.0, 1).kind
    usable = [value for value in values if math.isfinite(value) and (value > 0 or not of_kind.logarithm)]
    if not usable:
        return None
    levels = [math.log(value) for value in usable] if of_kind.logarithm else usable
    centre = median(levels)
    scatter = NORMAL * median(abs(level - centre) for level in levels)
    return Measure(name, math.exp(centre) if of_kind.logarithm else centre, scatter, len(usable))


def _sentence(measure: Measure, centre: float, n_nights: int, deviations: float) -> str:
    kind = measure.kind
    usual = math.exp(centre) if kind.logarithm else centre
    own = "" if measure.absolute is None else f", {measure.absolute:+.3g} in its unit"
    return (
        f"{kind.title.format(label=_label_of(measure))} is {measure.median:.3g} (median of {measure.n}{own}), and was "
        f"{usual:.3g} on the {n_nights} nights before: {deviations:.1f} robust standard deviations away; {kind.advice}."
    )


def _label_of(measure: Measure) -> str:
    return measure.name.removeprefix(RESIDUAL)
