"""The stars that a run is asked for: those of a form, of a list, of a table; checked before anything is started."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.ingest.fetch import KEYS, archive_and_keys
from apogee_labels.pipeline.stars.star_table import Entry, StarListError, read_star_file, read_star_table

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
SHOWN = 10
"""Faults that an error lists."""


def planned_stars(
    workspace: Workspace,
    form: Mapping[str, Any],
    *,
    stars: Sequence[Mapping[str, Any]] = (),
    table: str = "",
    file: str = "",
) -> list[dict[str, Any]]:
    """Return the keys of the stars that are asked for, each file once, in the order in which they were named.

    Parameters
    ----------
    workspace
        The installation, whose release and folders count.
    form
        Keys that an entry takes where it does not say; with no entry at all, the star itself.
    stars
        Entries as keys.
    table
        Entries as a table (:func:`apogee_labels.pipeline.stars.star_table.read_star_table`).
    file
        Path of such a table, below the data folder or the archive.

    Raises
    ------
    StarListError
        An entry names no file that there can be; nothing of the list is returned then.
    """
    form = _given({key: form.get(key) for key in KEYS})
    entries = [*_entries(workspace, stars, table, file)]
    if not entries:
        if stars or table.strip() or file:
            raise StarListError("the list is empty: give it at least one star below its header.")
        entries = [Entry("the form", {})]
    found: dict[Path, dict[str, Any]] = {}
    faults: list[str] = []
    for entry in entries:
        star = form | _given(entry.star)
        try:
            found.setdefault(_path_of(workspace, entry, star), star)
        except StarListError as fault:
            faults.append(str(fault))
    if faults:
        more = [f"and {len(faults) - SHOWN} more."] if len(faults) > SHOWN else []
        raise StarListError("\n".join([*faults[:SHOWN], *more]))
    if n_again := len(entries) - len(found):
        log.info("%d of %d entries name a star that was named before: each is taken once", n_again, len(entries))
    return [*found.values()]


def _given(star: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in star.items() if value not in (None, "")}


def _entries(workspace: Workspace, stars: Sequence[Mapping[str, Any]], table: str, file: str) -> Iterator[Entry]:
    for number, star in enumerate(stars, 1):
        yield Entry(f"star {number} of the list", dict(star))
    yield from read_star_table(table, "the pasted table")
    if file:
        settings = workspace.settings
        yield from read_star_table(read_star_file(file, (settings.data_dir, settings.sas_base_dir)), file)


def _path_of(workspace: Workspace, entry: Entry, star: Mapping[str, Any]) -> Path:
    """Return where a star's file is or would be, which is what makes two entries the same."""
    if entry.fault:
        raise StarListError(entry.fault)
    if not star.get("obj"):
        raise StarListError(
            f"{entry.where} names no star: fill in obj, e.g. 2M16505794-2118004 (and its field, e.g. 000+14)."
        )
    try:
        archive, keys = archive_and_keys(workspace, star)
        return archive.path(keys)
    except BadInputError as fault:
        raise StarListError(f"{entry.where}: {fault.message}") from fault
    except ValueError as fault:
        raise StarListError(f"{entry.where}: {fault} Add it to the entry, or fill it in in the form.") from fault
