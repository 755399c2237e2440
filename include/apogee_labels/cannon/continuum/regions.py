"""Which wavelengths are continuum in giants, found from a trained model (Ness et al. 2015).

A pixel is continuum when its baseline flux, that of a star with the median labels, is within 1.5% of 1 and no label
moves it much: of the pixels that pass the first test those with the smallest coefficients are kept, 6.5% of all.  A sum
of sines is unbounded where nothing holds it, so each detector is cut into 20 parts, and a part with less than half its
share gets its own best pixels, whose tolerance is relaxed by as little as that takes; so do the outermost 25 pixels of a
detector with less than five.

    apogee-labels regions MODEL.fits --out continuum_regions.txt
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from apogee_labels.cannon.continuum.normalization import DETECTORS, RIDGE, basis, continuum_pixels, detector_pixels
from apogee_labels.core.arrays import Bools, Floats
from apogee_labels.core.files import atomic_write

if TYPE_CHECKING:
    from apogee_labels.cannon.model import CannonModel


_END, _AT_END = 25, 5  # pixels of a detector's end, and how many of them are to be continuum


class Selection(NamedTuple):
    """The continuum pixels of a model, and how they were chosen."""

    pixels: Bools
    """Which pixels are continuum, shape (P,)."""
    relaxed: Bools
    """Which of them are there for coverage alone, shape (P,)."""
    seen: Bools
    """Which pixels the model knows at all, shape (P,)."""
    largest_slope: float
    """Largest change of flux per scaled label (2.5th to 97.5th percentile) that was accepted without relaxing."""
    largest_offset: float
    """Largest distance of a relaxed pixel's baseline from 1 (0 when none was relaxed)."""


def find_continuum_regions(
    model: CannonModel, *, tolerance: float = 0.015, share: float = 0.065, parts: int = 20, least: float = 0.5
) -> Floats:
    """Continuum regions of a trained model, shape (n, 2): half-open ranges [low, high) in Angstrom.

    Their edges lie halfway between pixels, in the logarithm of the wavelength.

    Parameters
    ----------
    model
        Trained on spectra of the kind that are to be normalised.
    tolerance
        Largest distance of the baseline from 1.
    share
        Share of the model's pixels that are to be continuum.
    parts
        Parts of a detector that are each to be covered; 0: take the criterion as it is.
    least
        Share of its due that a part must have.

    Raises
    ------
    ValueError
        Fewer pixels pass the baseline's test than are to be chosen.
    """
    selection = select_continuum(model, tolerance=tolerance, share=share, parts=parts, least=least)
    return as_regions(model.wavelength, selection.pixels)


def select_continuum(
    model: CannonModel, *, tolerance: float = 0.015, share: float = 0.065, parts: int = 20, least: float = 0.5
) -> Selection:
    """Return the pixels behind :func:`find_continuum_regions`, with the same parameters and errors."""
    linear = model.theta[:, 1 : 1 + len(model.label_names)]
    offset, slope = np.abs(model.theta[:, 0] - 1.0), np.abs(linear).max(axis=1)
    # A pixel that no training star saw has coefficients of exactly 0, or none.
    seen = np.isfinite(offset) & np.isfinite(slope) & (slope > 0) & _in_detectors(model.wavelength)
    flat = seen & (offset <= tolerance)
    wanted = round(share * np.count_nonzero(seen))
    if not 0 < wanted <= np.count_nonzero(flat):
        raise ValueError(
            f"expected at least {max(wanted, 1)} pixels ({share:.1%} of {np.count_nonzero(seen)}) with a baseline "
            f"within {tolerance:.1%} of 1, found {np.count_nonzero(flat)}; raise the tolerance or lower the share."
        )
    largest = float(np.sort(slope[flat])[wanted - 1])
    chosen = flat & (slope <= largest)
    badness = np.where(seen, np.maximum(offset / tolerance, slope / largest), np.inf)
    relaxed = _cover(chosen, badness, model.wavelength, parts=parts, due=share * least)
    return Selection(chosen | relaxed, relaxed, seen, largest, float(offset[relaxed].max(initial=0.0)))


def as_regions(wavelength: Floats, pixels: Bools) -> Floats:
    """Ranges that hold exactly `pixels`, shape (n, 2), with edges halfway between pixels in log wavelength."""
    log = np.log10(wavelength)
    between = (log[1:] + log[:-1]) / 2
    edges = 10.0 ** np.r_[log[0] - (between[0] - log[0]), between, log[-1] + (log[-1] - between[-1])]
    ends = np.flatnonzero(np.diff(np.r_[False, pixels, False].astype(np.int8)))
    return np.asarray(edges[ends].reshape(-1, 2), dtype=np.float64)


def condition_number(wavelength: Floats, pixels: Bools, *, length: float = 1400.0, order: int = 3) -> Floats:
    """Condition number of each detector's normal matrix with its ridge, shape (3,); equal weights.

    The ridge bounds it by 1e6; the nearer to that, the more the ridge and the less the data decide.
    """
    numbers = []
    for detector in detector_pixels(wavelength):
        terms = basis(wavelength[detector][pixels[detector]], length=length, order=order)
        eigenvalues = np.linalg.eigvalsh(terms @ terms.T)
        ridge = RIDGE * eigenvalues[-1]
        numbers.append((eigenvalues[-1] + ridge) / (eigenvalues[0].clip(0.0) + ridge))
    return np.array(numbers)


def describe(selection: Selection, wavelength: Floats) -> list[str]:
    """Lines that tell how many pixels were chosen, on each detector, and how well they hold the continuum there."""
    conditions = zip(
        condition_number(wavelength, selection.pixels), condition_number(wavelength, selection.seen), strict=True
    )
    lines = [
        f"{_share(selection.pixels, selection.seen)}, largest coefficient {selection.largest_slope:.5f} a scaled label",
        f"of these, relaxed for coverage: {np.count_nonzero(selection.relaxed)}, with a baseline off by at most "
        f"{selection.largest_offset:.3f}",
    ]
    detectors = zip(DETECTORS, detector_pixels(wavelength), conditions, strict=True)
    for (low, high), detector, (condition, best) in detectors:
        chosen = selection.pixels[detector]
        lines.append(
            f"detector {low:.0f} to {high:.0f} A: {_share(chosen, selection.seen[detector])}, "
            f"{_extent(wavelength[detector][chosen])}, condition number {condition:.1e} (all pixels: {best:.1e})"
        )
    return lines


def write_regions(path: str | Path, regions: Floats, comments: Sequence[str] = ()) -> None:
    """Write regions as :func:`~apogee_labels.cannon.continuum.read_regions` reads them, below `comments`."""
    lines = [f"# {comment}".rstrip() for comment in comments]
    lines += [f"{low:.4f} {high:.4f}" for low, high in regions]
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _in_detectors(wavelength: Floats) -> Bools:
    return continuum_pixels(wavelength, np.array(DETECTORS))


def _cover(chosen: Bools, badness: Floats, wavelength: Floats, *, parts: int, due: float) -> Bools:
    """Return the pixels to add so that every part of every detector has a share of at least `due`, and its ends more."""
    added = np.zeros_like(chosen)
    if parts == 0:
        return added
    for detector in detector_pixels(wavelength):
        seen = np.arange(len(wavelength))[detector][np.isfinite(badness[detector])]
        wanted = [(part, int(np.ceil(due * len(part)))) for part in np.array_split(seen, parts)]
        for part, count in [*wanted, (seen[:_END], _AT_END), (seen[-_END:], _AT_END)]:
            # Those chosen already are the best of the part: a badness of at most 1.
            added[part[np.argsort(badness[part], kind="stable")[:count]]] = True
    return added & ~chosen


def _share(chosen: Bools, seen: Bools) -> str:
    count, total = int(np.count_nonzero(chosen)), int(np.count_nonzero(seen))
    return f"{count} of {total} pixels ({count / max(total, 1):.2%})"


def _extent(where: Floats) -> str:
    return f"{where[0]:.1f} to {where[-1]:.1f} A" if len(where) else "nowhere"
