"""What must be true after a month, decided the slow and obvious way: plain SQL, files, and the ledger of what was written.

Nothing here calls the code that made the catalogue.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from astropy.table import Table

from tests.support.airflow_month import Nightly
from tests.support.observatory import Content, Observatory

RESULTS = """
SELECT result.id FROM result JOIN normalization ON normalization.id = result.normalization_id
WHERE normalization.digest = ? AND result.model_id = ?
"""
REJECTIONS = """
SELECT id FROM rejection WHERE subject = ?1 OR subject IN (SELECT id FROM normalization WHERE digest = ?1)
"""
TWICE = """
SELECT normalization_id, count(*) FROM result GROUP BY normalization_id, model_id HAVING count(*) > 1
UNION ALL SELECT digest, count(*) FROM normalization GROUP BY digest HAVING count(*) > 1
UNION ALL SELECT subject, count(*) FROM rejection GROUP BY subject HAVING count(*) > 1
"""


def outcomes(nightly: Nightly, content: Content, model: str) -> tuple[int, int]:
    """How many results by the model, and how many rejections, one content has."""
    return len(nightly.rows(RESULTS, content.digest, model)), len(nightly.rows(REJECTIONS, content.digest))


def without_one_outcome(nightly: Nightly, observatory: Observatory, model: str) -> list[str]:
    """The contents that have not what they must: one result if they were good, one rejection if they were damaged."""
    faults = []
    for content in observatory.ledger:
        found, due = outcomes(nightly, content, model), (0, 1) if content.damage else (1, 0)
        if found != due:
            faults.append(f"{content.path.name} {content.mjds} {content.damage or 'good'}: {found}, not {due}")
    return faults


def recorded_twice(nightly: Nightly) -> list[Any]:
    """What is on record more than once."""
    return nightly.rows(TWICE)


def never_written(nightly: Nightly, observatory: Observatory) -> set[str]:
    """Contents on record that nobody wrote in full: of files that were taken while they were being written."""
    seen = {row[0] for row in nightly.rows("SELECT digest FROM spectrum UNION SELECT subject FROM rejection")}
    return seen - {content.digest for content in observatory.ledger}


def lost_products(nightly: Nightly) -> set[str]:
    """Normalised spectra that are on record and not on disk, or on disk and not on record."""
    folder = nightly.catalog.parent / "normalized"
    recorded = {Path(row[0]).name for row in nightly.rows("SELECT path FROM normalization")}
    return recorded ^ {path.name for path in folder.rglob("*.fits")}


def current_stars(observatory: Observatory) -> dict[str, str]:
    """The digest that each star's current result must be of, by star: its newest content's, where that is good."""
    newest = observatory.newest().values()
    return {content.obj: content.digest for content in newest if content.damage is None}


def wrong_tables(nightly: Nightly, observatory: Observatory, nights: dict[str, list[int]]) -> list[str]:
    """What is wrong with the nights' tables: each holds the stars with a visit in its night that are not rejected."""
    return [fault for telescope, mjds in nights.items() for mjd in mjds for fault in _wrong(
        nightly, observatory, telescope, mjd
    )]  # fmt: skip


def _wrong(nightly: Nightly, observatory: Observatory, telescope: str, mjd: int) -> Iterator[str]:
    path = nightly.catalog.parent / "nights" / telescope / f"apogeeNight-{telescope}-{mjd}.fits"
    table = Table.read(path)
    found = dict(zip(map(str, table["obj"]), map(str, table["spectrum"]), strict=True)) if len(table) else {}
    due = {
        content.obj: content.digest
        for content in observatory.newest().values()
        if content.telescope == telescope and mjd in content.mjds and content.damage is None
    }
    if len(table) != len(found):
        yield f"{path.name} has a star twice"
    for obj in sorted(found.keys() | due.keys()):
        if found.get(obj) != due.get(obj):
            yield f"{path.name}: {obj} has {found.get(obj)}, not {due.get(obj)}"


def last_summaries(nightly: Nightly) -> dict[tuple[str, int], dict[str, Any]]:
    """The summary of each night's last publication."""
    query = "SELECT telescope, mjd, summary FROM night_run WHERE published_at IS NOT NULL ORDER BY published_at"
    return {(telescope, mjd): json.loads(summary) for telescope, mjd, summary in nightly.rows(query)}


def duplicates(nightly: Nightly) -> dict[str, int]:
    """How many products of each kind were made twice."""
    return dict(Counter(row[0] for row in nightly.rows("SELECT kind FROM duplicate_work")))
