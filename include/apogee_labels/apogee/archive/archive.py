"""The SDSS archive on disk: paths from keys, keys from paths, and finding every apStar file.

Layouts come from sdss_access (:mod:`apogee_labels.apogee.archive.releases`), once; a path is then string work, for
any number of
releases in one process and from any thread.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import NamedTuple
from urllib.parse import quote

from apogee_labels.apogee.archive.names import SAFE_NAME, ApStarKeys, without_version
from apogee_labels.apogee.archive.releases import ReleaseLayout, release_layout, release_layouts

__all__ = ["ApStarKeys", "Archive", "FoundFile"]

WALKED_COMBINATION = "stars"
"""The `apstar` key whose files a walk finds: the other folders beside it hold visits and calibrations."""

_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class FoundFile(NamedTuple):
    """What a walk found under the name of an apStar file; a link counts as what it leads to."""

    path: str
    size: int
    mtime_ns: int
    is_file: bool


class Archive:
    """A local copy of (a part of) SDSS's archive, as one release lays it out.

    Parameters
    ----------
    root
        The archive's root, ``SAS_BASE_DIR``.
    release
        SDSS release, such as ``dr17`` or ``sdss5``.
    apred
        Version of the reduction whose files a walk finds.

    Raises
    ------
    ValueError
        The release or the version is not one that there can be.
    """

    def __init__(self, root: str | Path, release: str, apred: str) -> None:
        self.root = Path(root).expanduser().absolute()
        self.layout = release_layout(release)
        self.release = release
        self.apred = apred
        if not SAFE_NAME.fullmatch(apred):
            raise ValueError(f"apred {apred!r} cannot be part of a path: expected a version such as r12 or 1.3.")

    def __repr__(self) -> str:
        return f"Archive({str(self.root)!r}, release={self.release!r}, apred={self.apred!r})"

    def path(self, keys: ApStarKeys) -> Path:
        """Give the path of a file, in the layout of the keys' own release.

        Raises
        ------
        ValueError
            A key that the release's layout needs is not given, or there is no such release.
        """
        return self.root / _relative_path(keys)

    def keys(self, path: str | Path) -> ApStarKeys:
        """Give the keys of a file from its path, of this archive's release or any other; the file need not exist.

        Raises
        ------
        ValueError
            The path is not below the root, is no apStar file's, or is that of a versioned copy in SDSS-V.
        """
        absolute = Path(os.path.normpath(self.root / path))
        if not absolute.is_relative_to(self.root):
            raise ValueError(f"{path} is outside the archive: expected a path below {self.root}.")
        relative = absolute.relative_to(self.root).as_posix()
        for release, layout in self._layouts():
            if match := _pattern(layout.template).fullmatch(relative):
                return _keys_of(release, layout, match)
        raise ValueError(f"{path} is not an apStar path of {self.release}: expected {self.layout.template}.")

    def _layouts(self) -> Iterator[tuple[str, ReleaseLayout]]:
        """Give this archive's layout, and after it all others: most paths never need those."""
        yield self.release, self.layout
        yield from release_layouts().items()

    def remote_url(self, keys: ApStarKeys, base: str | None = None) -> str:
        """Give the URL of a file on a server that has the archive under ``/sas``.

        Parameters
        ----------
        keys
            The file.
        base
            Scheme and host, such as ``https://data.sdss.org``; default: the release's own server.

        Raises
        ------
        ValueError
            As for :meth:`path`.
        """
        server = base or release_layout(keys.release).remote_base
        return f"{server.rstrip('/')}/sas/{quote(_relative_path(keys), safe='/+')}"

    def walk(self, telescope: str | None = None) -> Iterator[FoundFile]:
        """Find every apStar file of this release and version, in the order of their paths.

        Temporary and hidden names are passed over, and so are SDSS-V's versioned copies, whose star has a link of its
        own.  A folder, a pipe or a link that leads nowhere under the name of a spectrum is reported as it is.

        Parameters
        ----------
        telescope
            Only this telescope's files; default: those of all.
        """
        known = {"apred": self.apred, "apstar": WALKED_COMBINATION}
        if telescope is not None:
            known["telescope"] = telescope
        for files in _descend(str(self.root), self.layout.template.split("/"), known, self.layout.by_healpix):
            yield from files


def _relative_path(keys: ApStarKeys) -> str:
    layout = release_layout(keys.release)
    values = keys.values()
    missing = [name for name in layout.keys if values[name] is None]
    if missing:
        raise ValueError(
            f"an apStar path of {keys.release} needs {', '.join(layout.keys)}: {', '.join(missing)} missing."
        )
    return layout.template.format(**values)


def _keys_of(release: str, layout: ReleaseLayout, match: re.Match[str]) -> ApStarKeys:
    groups = match.groupdict()
    obj = groups["obj"]
    if layout.by_healpix and without_version(obj) != obj:
        raise ValueError(f"{obj} names a versioned copy: expected the file of {without_version(obj)} itself.")
    healpix = int(groups["healpix"]) if "healpix" in groups else None
    names = {name: groups[name] for name in ("apred", "telescope", "apstar", "field", "prefix") if name in groups}
    keys = ApStarKeys(release=release, obj=obj, healpix=healpix, **names)
    if _relative_path(keys) != match.string:
        raise ValueError(f"{match.string} contradicts itself: its keys make {_relative_path(keys)}.")
    return keys


@lru_cache(maxsize=256)
def _pattern(template: str, **known: str) -> re.Pattern[str]:
    """Regular expression of a path, or a part of one: known keys as they are, a group for every other."""
    expression, seen = "", set()
    for literal, name, _, _ in Formatter().parse(template):
        expression += re.escape(literal)
        if name in known:
            expression += re.escape(known[name])
        elif name in seen:
            expression += f"(?P={name})"
        elif name:
            seen.add(name)
            expression += f"(?P<{name}>{_FORMS.get(name, SAFE_NAME.pattern)})"
    return re.compile(expression, re.ASCII)


_FORMS = {"healpix": r"0|[1-9]\d{0,8}", "healpixgrp": r"\d{1,6}", "prefix": "a[ps]", "telescope": "[a-z0-9]{1,32}"}


def _descend(folder: str, parts: list[str], known: dict[str, str], versioned: bool) -> Iterator[list[FoundFile]]:
    """Find what matches the templates of the `parts` below a folder, with what is known of the keys so far.

    A list a folder: handed up file by file, each would pass through as many generators as the tree is deep.
    """
    part, rest = parts[0], parts[1:]
    names = {name for _, name, _, _ in Formatter().parse(part) if name}
    here = {name: value for name, value in known.items() if name in names}
    if names == here.keys() and rest:
        yield from _descend(f"{folder}{os.sep}{part.format(**here)}", rest, known, versioned)
        return
    pattern = _pattern(part, **here)
    matches = ((entry, match) for entry in _entries(folder) if (match := pattern.fullmatch(entry.name)))
    if not rest:
        yield [
            found
            for entry, match in matches
            if not (versioned and without_version(match["obj"]) != match["obj"]) and (found := _found(entry))
        ]
        return
    for entry, match in matches:
        if (status := _status(entry, follow_links=True)) and stat.S_ISDIR(status.st_mode):
            yield from _descend(entry.path, rest, known | match.groupdict(), versioned)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """List what is in a folder, by name; nothing when it is not there (any more)."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _found(entry: os.DirEntry[str]) -> FoundFile | None:
    """Describe an entry, or give None when it is gone."""
    if status := _status(entry, follow_links=True):
        return FoundFile(entry.path, status.st_size, status.st_mtime_ns, stat.S_ISREG(status.st_mode))
    if status := _status(entry, follow_links=False):  # a link that leads nowhere is described as the link
        return FoundFile(entry.path, status.st_size, status.st_mtime_ns, is_file=False)
    return None


def _status(entry: os.DirEntry[str], *, follow_links: bool) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=follow_links)
    except OSError as error:
        if error.errno in _NOWHERE:
            return None
        raise
