"""What the measurements are held against: the best public implementation of each piece of work.

What ``make bench-peers`` measured on this machine is taken before what was stated.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from benchmarks.peers.environment import FOLDER

RESULTS = FOLDER / "results.json"
"""Written by ``make bench-peers``: ``{"peers": {implementation: {row: {"value": number, "note": text}}}, ...}``."""

NAMES = {"annieslasso": "AnniesLasso 0.2.96", "thecannon": "TheCannon 0.7.3"}

LIKE_FOR_LIKE = {"train-3-likelihood": "thecannon"}
"""Rows whose baseline is the implementation that does the same, not the quickest."""


WITHOUT_CORRECTIONS = {"infer-3-corrected": "infer-3-10"}
"""Rows that no other implementation has, and what is nearest to them."""


class Baseline(NamedTuple):
    """A figure in the quantity of its row."""

    value: float
    name: str
    stated: bool
    """Taken from a list of figures, not measured on this machine."""

    @property
    def text(self) -> str:
        """Name, and where the figure is from."""
        return f"{self.name}{', stated' if self.stated else ''}"


_PUBLIC = "best public"
_STATED = {
    "train-3": (21.0, "AnniesLasso 0.2.96, median rule"),
    "train-3-likelihood": (34.0, "TheCannon 0.7.3"),
    "train-3-l1": (170.0, _PUBLIC),
    "train-17": (280.0, _PUBLIC),
    "train-17-l1": (3.3 * 3600.0, _PUBLIC),
    "infer-3-1": (120.0, _PUBLIC),
    "infer-3-10": (17.0, _PUBLIC),
    "infer-3-corrected": (17.0, f"{_PUBLIC}, without them"),
    "infer-17": (5.0, _PUBLIC),
    "infer-one": (16.0, _PUBLIC),
    "continuum-first": (2000.0, _PUBLIC),
    "continuum-later": (2000.0, _PUBLIC),
    "read": (640.0, "astropy"),
}
"""Issue 3 of the project, column "best public implementation", named where it names one: one core of a 2-core machine,
1624 stars x 8575 pixels."""


def stated(key: str) -> Baseline | None:
    """Return the figure that issue 3 states for a row; None where it states none."""
    return Baseline(*_STATED[key], stated=True) if key in _STATED else None


def measured(key: str) -> Baseline | None:
    """Return the best of what ``make bench-peers`` measured for a row; None where it has not run, or has no such row."""
    if not RESULTS.is_file():
        return None
    peers = json.loads(RESULTS.read_text(encoding="utf-8"))["peers"]
    shared = WITHOUT_CORRECTIONS.get(key, key)
    found = {peer: rows[shared] for peer, rows in peers.items() if shared in rows}
    if key in LIKE_FOR_LIKE:
        found = {peer: row for peer, row in found.items() if peer == LIKE_FOR_LIKE[key]}
    if not found:
        return None
    best = max if key.startswith("infer-") and key != "infer-one" else min
    peer = best(found, key=lambda name: float(found[name]["value"]))
    name = NAMES[peer] if shared == key else f"{NAMES[peer]}, without them"
    return Baseline(float(found[peer]["value"]), name, stated=False)


def baseline(key: str) -> Baseline | None:
    """Return what a row is held against."""
    return measured(key) or stated(key)
