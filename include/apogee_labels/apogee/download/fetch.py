"""Fetching a file that the local archive does not have from SDSS's server, or from another that has the archive.

sdss_access's own transfer takes any existing file for complete, writes under the final name and only prints what went
wrong.  Here a file has its name when it has been read and found good, and never before.  A transfer that broke off leaves
nothing and is made again from the first byte: a file has a megabyte or two.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.download.remote import ABSENT, FetchError, check_status, remote_answer, remote_client
from apogee_labels.apogee.spectra.apstar import parse_apstar, read_apstar
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.files import atomic_write
from apogee_labels.fits.input_file import LARGEST

if TYPE_CHECKING:
    import httpx

__all__ = ["FetchError", "fetch_apstar", "is_at_remote"]

_MAY_BE_CUT = {Reason.EMPTY, Reason.UNREADABLE}
_NO_HEAD = {405, 501}


def fetch_apstar(
    archive: Archive, keys: ApStarKeys, *, remote_base: str | None = None, client: httpx.Client | None = None
) -> Path:
    """Make sure that a file is in the local archive, fetching it when it is not there or cannot be read.

    Credentials for the server are taken from ``~/.netrc`` when it has any, as sdss_access does for data that are not
    public.

    Parameters
    ----------
    archive
        The local archive.
    keys
        The file.
    remote_base
        Scheme and host of a server with the archive under ``/sas``; default: SDSS's own for the release.
    client
        What asks, made by :func:`apogee_labels.apogee.download.remote.remote_client`; default: one for this file.

    Returns
    -------
    Path
        The file in the local archive, complete and readable.

    Raises
    ------
    BadInputError
        NOT_AT_REMOTE: the server has no such file.  NOT_A_FILE: a folder has the file's name here.  Any other reason:
        the file arrived whole and is bad, at the server too.
    PermissionError
        The server wants credentials that ``~/.netrc`` does not have.
    FetchError
        Trouble that may pass.  Nothing is left of what came.
    ValueError
        `remote_base` is no URL of a server, or a key is missing.
    """
    path = archive.path(keys)
    if not is_good(path):
        with ExitStack() as stack:
            _fetch(client or stack.enter_context(remote_client()), archive.remote_url(keys, remote_base), path)
    return path


def is_at_remote(archive: Archive, keys: ApStarKeys, remote_base: str | None = None) -> bool:
    """Whether the server has a file, without fetching it; arguments as for :func:`fetch_apstar`.

    Raises
    ------
    PermissionError, FetchError, ValueError
        As for :func:`fetch_apstar`.
    """
    with remote_client() as client:
        return _has(client, "HEAD", archive.remote_url(keys, remote_base))


def _has(client: httpx.Client, method: str, url: str) -> bool:
    with remote_answer(client, method, url) as response:
        if response.status_code in ABSENT:
            return False
        if method == "GET" or response.status_code not in _NO_HEAD:
            check_status(response, url)
            return True
    return _has(client, "GET", url)  # whose body is not read


def is_good(path: Path) -> bool:
    """Whether a readable apStar file is at a path.

    Raises
    ------
    BadInputError
        NOT_A_FILE: a folder has the file's name.
    """
    try:
        read_apstar(path)
    except BadInputError as error:
        if error.reason is Reason.NOT_A_FILE:
            raise
        return False
    return True


def _fetch(client: httpx.Client, url: str, path: Path) -> None:
    content, has_length = _transfer(client, url)
    try:
        parse_apstar(content, path=url)
    except BadInputError as error:
        if error.reason in _MAY_BE_CUT and not has_length:
            raise FetchError(f"{error.message} The answer had no length to check.") from error
        raise
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _transfer(client: httpx.Client, url: str) -> tuple[bytes, bool]:
    """Return what the server sends, all of it, and whether it said how long that is."""
    content = bytearray()
    with remote_answer(client, "GET", url) as response:
        check_status(response, url)
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > LARGEST:
                raise FetchError(f"{url}: expected an apStar file, got more than {LARGEST} bytes; gave up.")
    expected = response.headers.get("Content-Length")
    if expected is not None and response.num_bytes_downloaded != int(expected):
        raise FetchError(f"{url}: expected {expected} bytes, got {response.num_bytes_downloaded}; try again later.")
    return bytes(content), expected is not None
