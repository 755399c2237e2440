"""Which entries of a table of labels are fit to train on, and why the others are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from apogee_labels.apogee.spectra.masks import BAD_ASPCAP, UNFIT_STAR, ExtraTarget
from apogee_labels.apogee.tables.cuts import Cuts, FlagCut
from apogee_labels.apogee.tables.label_table import LabelTable
from apogee_labels.core.arrays import Bools, Floats, Indices

CELLS = 6
"""Parts into which the central 95 % of each label are divided when stars are chosen."""


class CutStep(NamedTuple):
    """One cut: what it asks for, how many stars it took out and how many it left."""

    cut: str
    removed: int
    left: int


class Selection(NamedTuple):
    """The rows that are left, by the stars' names, and what each cut did."""

    rows: Indices
    steps: tuple[CutStep, ...]


def select(
    table: LabelTable, label_names: Sequence[str], cuts: Cuts, *, is_here: Callable[[Indices], Bools] | None = None
) -> Selection:
    """Choose the entries to train on.

    The result does not depend on the order of the table's rows.  A cut on a column that the table does not have takes
    nothing out, and says so.  Of several entries of a star one is taken: not one that EXTRATARG calls a duplicate, if there
    is another; then the one of the highest S/N.  Where there are more than `max_stars`, the space of the labels is
    divided into cells (:data:`CELLS` a label), and the stars are taken in turns, from each cell that of the highest S/N
    that is left: rare stars stay, and the many alike are thinned out.  In the last turn, and where labels are so many that
    most stars have a cell of their own, the highest S/N counts.

    Parameters
    ----------
    table
        With the labels and the quantities of ``cuts.ranges`` among its values.
    label_names
        The labels that must be known.
    cuts
        What is asked for.
    is_here
        Which of some rows have a file, where only such are to be chosen: asked after the cuts, before one entry of each star
        is taken.
    """
    rows = np.arange(len(table))
    steps = [CutStep("in the table", 0, len(rows))]
    for cut, kept in _conditions(table, label_names, cuts):
        left = rows if kept is None else rows[kept[rows]]
        steps.append(CutStep(cut, len(rows) - len(left), len(left)))
        rows = left
    if is_here is not None:
        there = rows[is_here(rows)]
        steps.append(CutStep("a file in the archive", len(rows) - len(there), len(there)))
        rows = there
    single = _one_a_star(table, rows)
    steps.append(CutStep("one entry a star", len(rows) - len(single), len(single)))
    chosen = _spread(table, single, label_names, cuts.max_stars)
    if cuts.max_stars is not None:
        steps.append(CutStep(f"at most {cuts.max_stars} stars", len(single) - len(chosen), len(chosen)))
    return Selection(chosen[np.argsort(table.stars[chosen], kind="stable")], tuple(steps))


def _conditions(table: LabelTable, label_names: Sequence[str], cuts: Cuts) -> list[tuple[str, Bools | None]]:
    """Return each cut with the entries that pass it; None where the table has no such column."""
    known = np.all([np.isfinite(table.values[name]) for name in label_names], axis=0)
    conditions: list[tuple[str, Bools | None]] = [
        ("a name", np.asarray(table.stars != "")),
        (f"known {', '.join(label_names)}", known),
    ]
    if cuts.label_flags:
        flags = [table.flags[name] == 0 for name in label_names if name in table.flags]
        conditions.append(_of("no flag on a label", np.all(flags, axis=0) if flags else None))
    for name, (low, high) in cuts.ranges.items():
        with np.errstate(invalid="ignore"):
            least, greatest = -np.inf if low is None else low, np.inf if high is None else high
            inside = (table.values[name] >= least) & (table.values[name] <= greatest)
        conditions.append((_sentence(name, low, high), inside))
    for word, flag, bits, cut in (
        ("ASPCAPFLAG", table.aspcapflag, BAD_ASPCAP, cuts.aspcapflag),
        ("STARFLAG", table.starflag, int(UNFIT_STAR), cuts.starflag),
    ):
        if cut is not FlagCut.OFF:
            kept = None if flag is None else (flag & (bits if cut is FlagCut.BAD else -1)) == 0
            conditions.append(_of(f"{word} without {'a bad' if cut is FlagCut.BAD else 'any'} bit", kept))
    if cuts.min_snr > 0:
        with np.errstate(invalid="ignore"):
            bright = None if table.snr is None else table.snr >= cuts.min_snr
        conditions.append(_of(f"S/N of {cuts.min_snr:g} or more", bright))
    return conditions


def _of(cut: str, kept: Bools | None) -> tuple[str, Bools | None]:
    return (cut if kept is not None else f"{cut} (no such column)"), kept


def _sentence(name: str, low: float | None, high: float | None) -> str:
    limits = [f"{word} {limit:g}" for word, limit in (("from", low), ("to", high)) if limit is not None]
    return f"{name} {' '.join(limits) or 'known'}"


def _one_a_star(table: LabelTable, rows: Indices) -> Indices:
    """Return the best entry of each star."""
    duplicate = np.zeros(len(rows), dtype=bool)
    if table.extratarg is not None:
        duplicate = (table.extratarg[rows] & int(ExtraTarget.DUPLICATE)) != 0
    stars = table.stars[rows]
    places = [table.keys[key][rows] for key in ("field", "healpix", "telescope") if key in table.keys]
    order = np.lexsort((*places, -_snr(table, rows), duplicate, stars))  # the last key counts first
    first = np.ones(len(order), dtype=bool)
    first[1:] = stars[order][1:] != stars[order][:-1]
    return rows[order[first]]


def _spread(table: LabelTable, rows: Indices, label_names: Sequence[str], count: int | None) -> Indices:
    """Return at most so many rows, in turns from the cells of the space of labels, the highest S/N first."""
    if count is None or len(rows) <= count:
        return rows
    labels = np.stack([table.values[name][rows] for name in label_names], axis=1)
    rank = np.argsort(np.lexsort((table.stars[rows], -_snr(table, rows))))
    cells = cells_of(labels, CELLS, (2.5, 97.5))
    return rows[in_turns(cells, rank, rank)[:count]]


def cells_of(labels: Floats, number: int, percentiles: tuple[float, float]) -> Indices:
    """Cells of the space of labels that stars are in: `number` along each label between two percentiles.

    What lies beyond counts to the outermost cells.  Takes shape (N, L), finite; returns shape (N, L).
    """
    low, high = np.percentile(labels, percentiles, axis=0)
    width = np.where(high > low, (high - low) / number, 1.0)
    return np.asarray(np.clip(np.floor((labels - low) / width), 0, number - 1).astype(np.intp))


def in_turns(cells: Indices, rank: Indices, rank_in_turn: Indices) -> Indices:
    """Return the order in which stars are taken: one of each cell in turn, then a second one, and so on, shape (N,).

    Parameters
    ----------
    cells
        Cell of each star, shape (N, L).
    rank
        Which star of a cell comes first, shape (N,), all different.
    rank_in_turn
        Which of the stars of one turn comes first, shape (N,).
    """
    cell = np.unique(cells, axis=0, return_inverse=True)[1].ravel()
    by_cell = np.lexsort((rank, cell))
    starts = np.flatnonzero(np.append(True, np.diff(cell[by_cell]) != 0))
    turn = np.empty(len(cells), dtype=np.intp)
    turn[by_cell] = np.arange(len(cells)) - np.repeat(starts, np.diff(np.append(starts, len(cells))))
    return np.asarray(np.lexsort((rank_in_turn, turn)))


def _snr(table: LabelTable, rows: Indices) -> Floats:
    """Signal-to-noise ratio of rows, 0 where it is not known."""
    return np.zeros(len(rows)) if table.snr is None else np.nan_to_num(table.snr[rows], nan=0.0)
