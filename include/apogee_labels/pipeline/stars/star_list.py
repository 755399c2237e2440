"""The stars that a run is asked for: those of a form, of a list, of a table; checked before anything is started.

A table is as people write it: comma-separated text with a header, pasted or in a file.
"""

from __future__ import annotations

import csv
import difflib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from apogee_labels.core.errors import BadInputError
from apogee_labels.core.files import path_below
from apogee_labels.pipeline.ingest.fetch import KEYS, archive_and_keys

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


ALIASES = {"apogee_id": "obj"}
"""Other names of columns, as SDSS's summaries have them."""
LARGEST = 10_000_000
"""Bytes above which a file is no list of planned observations."""

_LONGEST = 60


class StarListError(ValueError):
    """A list of stars that nothing is started with: a line a fault, each with its place and what to do."""


class Entry(NamedTuple):
    """What one entry of a list says of a star: where it stands, its keys, and the fault that was found already."""

    where: str
    star: dict[str, Any]
    fault: str = ""


def read_star_table(text: str, source: str) -> Iterator[Entry]:
    """Give the rows of a table as keys of stars.

    The first line that is neither blank nor a comment (``#``) names the columns, in any order and case: those of
    :data:`apogee_labels.pipeline.ingest.fetch.KEYS`, ``obj`` (or APOGEE_ID) at least.  Tabs and semicolons part as
    commas do: a
    spreadsheet pastes them.  An empty cell says nothing.

    Parameters
    ----------
    text
        The table.
    source
        What it is called in errors.

    Raises
    ------
    StarListError
        There is no header, or it has a column that is not known.
    """
    lines = [
        (number, line)
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1)
        if line.strip(" \t,;") and not line.lstrip().startswith("#")
    ]
    if not lines:
        return
    (number, first), *rows = lines
    delimiter = next((mark for mark in ",\t;" if mark in first), ",")
    columns = _columns(_cells(first, delimiter, f"{source}, line {number}"), f"{source}, line {number}")
    for number, line in rows:
        where = f"{source}, line {number}"
        try:
            yield _entry(where, columns, _cells(line, delimiter, where))
        except StarListError as fault:
            yield Entry(where, {}, str(fault))


def _cells(line: str, delimiter: str, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True))]
    except csv.Error as fault:
        raise StarListError(f"{where}: {fault}: close the quotes, a star is one line.") from None


def _columns(names: Sequence[str], where: str) -> list[str]:
    columns = [ALIASES.get(name.lower(), name.lower()) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column and column not in KEYS:
            close = difflib.get_close_matches(column, [*KEYS, *ALIASES], 1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(KEYS)}."
            raise StarListError(
                f"{where}: expected a header with the names of the columns, got {name[:_LONGEST]!r}, which is none: {hint}"
            )
        if column and columns.count(column) > 1:
            raise StarListError(f"{where}: column {column} is there twice: leave one out.")
    if "obj" not in columns:
        raise StarListError(f"{where}: the header has no column obj (or APOGEE_ID): add the names of the stars.")
    return columns


def _entry(where: str, columns: Sequence[str], cells: Sequence[str]) -> Entry:
    if any(cells[len(columns) :]):
        raise StarListError(f"{where}: {len(cells)} cells, and the header has {len(columns)}: take the others out.")
    star: dict[str, Any] = {column: cell for column, cell in zip(columns, cells, strict=False) if column and cell}
    if "obj" not in star:
        raise StarListError(f"{where}, column obj: it is empty: name the star, or take the line out.")
    if not star.get("healpix", "0").isdecimal():
        raise StarListError(
            f"{where}, column healpix: expected a whole number, got {star['healpix'][:_LONGEST]!r}: mend it."
        )
    return Entry(where, star | ({"healpix": int(star["healpix"])} if "healpix" in star else {}))


def read_star_file(name: str, roots: Sequence[Path]) -> str:
    """Return the text of a file that lies below one of the folders.

    Parameters
    ----------
    name
        Its path; a relative one counts from the first of `roots`.
    roots
        Folders that may be read from; links are followed before the path is compared with them.

    Raises
    ------
    StarListError
        It is elsewhere, is not there, or is no text.
    """
    path = path_below(roots[0] / name, roots)
    if path is None:
        raise StarListError(
            f"{name} is outside of {' and '.join(map(str, roots))}: put the list there, or paste it into the form."
        )
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise StarListError(f"{name}: expected a file of at most {LARGEST} bytes: there is none at {path}.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise StarListError(f"{name} is no text in UTF-8: save it as 'CSV UTF-8'.") from None
