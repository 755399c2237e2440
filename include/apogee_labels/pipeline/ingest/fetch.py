"""The file of one star: where it is, or from where it comes.

Takes the keys that name a star's file; done already when a readable file is there; makes it by fetching.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apogee_labels.catalog.records import Stage
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.pipeline.ingest.rejection import record_rejection

if TYPE_CHECKING:
    from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
KEYS = ("release", "apred", "apstar", "telescope", "field", "prefix", "obj", "healpix")


def archive_and_keys(workspace: Workspace, star: Mapping[str, Any]) -> tuple[Archive, ApStarKeys]:
    """Return the archive and the typed keys of a star, with the installation's and the release's defaults filled in.

    Raises
    ------
    BadInputError
        A key is unknown, missing or malformed.
    """
    from apogee_labels.apogee.archive.archive import ApStarKeys

    given = {key: value for key, value in star.items() if value not in (None, "")}
    if unknown := set(given) - set(KEYS):
        raise BadInputError(
            Reason.MISSING, f"unknown key(s) {', '.join(sorted(unknown))}: known are {', '.join(KEYS)}."
        )
    given = {key: value if key == "healpix" else str(value) for key, value in given.items()}
    try:
        archive = workspace.archive(given.pop("release", None), given.pop("apred", None))
        keys = ApStarKeys(release=archive.release, apred=archive.apred, **given)
    except (TypeError, ValueError) as fault:
        raise BadInputError(Reason.MISSING, f"these keys name no apStar file: {fault}") from fault
    return archive, keys


def local_path(workspace: Workspace, star: Mapping[str, Any]) -> Path:
    """Return where a star's file is, or would be."""
    archive, keys = archive_and_keys(workspace, star)
    return Path(archive.path(keys))


def is_at_remote(workspace: Workspace, star: Mapping[str, Any]) -> bool:
    """Whether the remote archive has a star's file now; trouble on the way there counts as not now.

    Raises
    ------
    PermissionError
        The server wants credentials that ``~/.netrc`` does not have.
    """
    from apogee_labels.apogee.download.fetch import FetchError
    from apogee_labels.apogee.download.fetch import is_at_remote as answers

    archive, keys = archive_and_keys(workspace, star)
    try:
        return bool(answers(archive, keys, remote_base=workspace.settings.remote_base))
    except FetchError as trouble:
        log.warning("%s: %s", keys.obj, trouble)
        return False


def find_or_fetch(workspace: Workspace, star: Mapping[str, Any], *, use_remote: bool) -> Path:
    """Return the path of a star's file, fetching it when it is not here and `use_remote` is set.

    Raises
    ------
    BadInputError
        It is neither here nor, with `use_remote`, at the remote archive; or the keys name no file.
    OSError
        The transfer broke off, and may pass.
    """
    archive, keys = archive_and_keys(workspace, star)
    path = Path(archive.path(keys))
    try:
        return _fetch(workspace, archive, keys) if use_remote else _find(path)
    except BadInputError as fault:
        record_rejection(workspace, path, Stage.FETCH, fault)
        raise


def _find(path: Path) -> Path:
    if not path.exists():
        raise BadInputError(Reason.MISSING, f"{path} is not in the archive: put it there, or set use_remote.")
    return path


def _fetch(workspace: Workspace, archive: Archive, keys: ApStarKeys) -> Path:
    from apogee_labels.apogee.download.fetch import fetch_apstar

    started = time.perf_counter()
    path = fetch_apstar(archive, keys, remote_base=workspace.settings.remote_base)
    log.info("%s is here, %.1f s: %s", keys.obj, time.perf_counter() - started, path)
    return path
