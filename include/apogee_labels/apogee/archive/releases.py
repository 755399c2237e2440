"""Where each SDSS release keeps its apStar files, as sdss_access says it.

sdss_access keeps one release at a time in process-wide state: a ``Path`` made for DR16 answers with DR17's paths once
one was made for DR17, an unknown release silently becomes another, a missing archive root is created, and its import
takes over the process's exception hook and warnings.  So it is asked once for a release, under a lock, and what it
changed is put back; what it said is kept as plain values.  A release costs 15 ms: a task with one file asks for one.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from string import Formatter
from typing import Any

ALIASES = {"sdss5": "sdsswork", "work": "sdsswork"}
"""Names by which a release is also known, and what sdss_access calls it."""

_HEALPIX_GROUP = "@healpixgrp|"
_VARIABLE = re.compile(r"\$(\w+)")
_lock = threading.Lock()
_known: dict[str, ReleaseLayout | None] = {}
"""What sdss_access said of a release; None: it has no apStar files there."""
_all_known = False


@dataclass(frozen=True)
class ReleaseLayout:
    """The place of apStar files in one release.

    Parameters
    ----------
    release
        Its name as sdss_access has it.
    template
        Path below the archive's root, a format string such as
        ``dr16/apogee/spectro/redux/{apred}/{apstar}/{telescope}/{field}/{prefix}Star-{apred}-{obj}.fits``.
    remote_base
        Scheme and host of the server that has this release.
    """

    release: str
    template: str
    remote_base: str

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the keys that make a path, in the order in which they first occur in it."""
        names = [name for _, name, _, _ in Formatter().parse(self.template) if name]
        return tuple(dict.fromkeys("healpix" if name == "healpixgrp" else name for name in names))

    @property
    def by_healpix(self) -> bool:
        """Whether stars are filed by their place on the sky (SDSS-V) instead of the field of a plate."""
        return "healpix" in self.keys


def release_layout(release: str) -> ReleaseLayout:
    """Look up the layout of a release such as ``dr17``.

    Raises
    ------
    ValueError
        sdss_access has no such release, or none with apStar files; the message names those that it has.
    """
    name = ALIASES.get(release, release)
    with _lock:
        if name not in _known:
            _ask_sdss_access(name)
        if layout := _known.get(name):
            return layout
    known = ", ".join([*release_layouts(), *ALIASES])
    raise ValueError(f"release {release!r} has no apStar paths in sdss_access: expected one of {known}.")


def release_layouts() -> Mapping[str, ReleaseLayout]:
    """Give the layout of every release with apStar files, asking sdss_access for those not asked for yet."""
    global _all_known
    with _lock:
        if not _all_known:
            _ask_sdss_access()
            _all_known = True
        return {name: layout for name, layout in sorted(_known.items()) if layout}


def _ask_sdss_access(wanted: str | None = None) -> None:
    """Ask for one release, or for all that are not known yet; the caller holds the lock."""
    with tempfile.TemporaryDirectory(prefix="sas-") as root, _process_restored():
        os.environ["SAS_BASE_DIR"] = root
        sdss_access: Any = import_module("sdss_access")
        planted = sdss_access.tree.config_name
        try:
            for config in sdss_access.tree.list_available_configs():
                release = config.removesuffix(".cfg")
                if release not in _known and wanted in (None, release):
                    _known[release] = _layout(release, sdss_access.Path(release=release), root)
        finally:
            sdss_access.tree.replant_tree(planted)


def _layout(release: str, access: Any, root: str) -> ReleaseLayout | None:
    template = _relative_template(access.templates.get("apStar", ""), root)
    return ReleaseLayout(release, template, access.remote_base) if template else None


def _relative_template(template: str, root: str) -> str | None:
    """Template below the archive's root, or None when it is not one that :class:`ApStarKeys` can fill."""
    while match := _VARIABLE.match(template):
        if match[1] not in os.environ:
            return None
        template = os.environ[match[1]] + template[match.end() :]
    template = template.replace(_HEALPIX_GROUP, "{healpixgrp}")
    if "@" in template or "{telescope}" not in template or not template.startswith(root + os.sep):
        return None
    return template[len(root) + 1 :]


@contextmanager
def _process_restored() -> Iterator[None]:
    """Put the environment, the exception hook and the handling of warnings back as they were."""
    before, hook, show = dict(os.environ), sys.excepthook, warnings.showwarning
    warnings_logger = logging.getLogger("py.warnings")
    handlers = list(warnings_logger.handlers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the files of its configuration open
        try:
            yield
        finally:
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)
            sys.excepthook = hook
            warnings_logger.handlers[:] = handlers
            if warnings.showwarning is not show:
                logging.captureWarnings(False)
