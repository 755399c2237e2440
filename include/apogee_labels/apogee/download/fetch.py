"""Fetching a file that the local archive does not have from SDSS's server, or from another that has the archive.

sdss_access's own transfer takes any existing file for complete, writes under the final name and only prints what went
wrong.  Here a file has its name when it has been read and found good, and never before; and a transfer that broke off
goes on where it stopped, if the server says that it still has the same content.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.download.partial import Origin, PartialFile
from apogee_labels.apogee.download.remote import ABSENT, FetchError, check_status, remote_answer, remote_client
from apogee_labels.apogee.spectra.apstar import parse_apstar, read_apstar
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.fits.input_file import LARGEST

if TYPE_CHECKING:
    import httpx

__all__ = ["FetchError", "fetch_apstar", "is_at_remote"]

_MAY_BE_CUT = {Reason.EMPTY, Reason.UNREADABLE}
_NO_HEAD = {405, 501}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)", re.ASCII)


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
        Trouble that may pass.  What came is kept under a hidden name if the server can go on from there, and else nothing.
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
    with PartialFile(path, url) as part:
        try:
            while not _transfer(client, url, part):
                part.forget()  # the second time from the first byte on, and then there is an answer
        except BadInputError:
            part.forget()
            raise
        part.finish()


def _transfer(client: httpx.Client, url: str, part: PartialFile) -> bool:
    """Get all of a file that is not there yet, and see that it is good; false: what was there is of another content."""
    resumed = part.origin is not None
    with remote_answer(client, "GET", url, _range_after(part)) as response:
        if resumed and response.status_code in (206, 416):
            if not _goes_on(response, part):
                return False
            stream = part.go_on()
        else:
            resumed = False
            check_status(response, url)
            stream = part.begin(_origin(response, url))
        for chunk in response.iter_bytes():  # as it comes: chunks of a given size would be held back
            stream.write(chunk)
            if stream.tell() > LARGEST:
                part.forget()
                raise FetchError(f"{url}: expected an apStar file, got more than {LARGEST} bytes; gave up.")
        _check_length(response, url)
    return _is_verified(part, response, resumed=resumed)


def _range_after(part: PartialFile) -> dict[str, str]:
    if part.origin is None:
        return {}
    return {"Range": f"bytes={part.offset}-", "If-Range": part.origin.validator}


def _goes_on(response: httpx.Response, part: PartialFile) -> bool:
    """Whether an answer is the rest of a part, by its range and by the validator: not every server heeds If-Range."""
    span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    origin = part.origin
    if origin is None or span is None or response.status_code != 206:
        return False
    same = origin.validator in (response.headers.get("ETag"), response.headers.get("Last-Modified"))
    return same and (int(span[1]), int(span[2])) == (part.offset, origin.length)


def _origin(response: httpx.Response, url: str) -> Origin | None:
    """Describe what comes, or give None when this server could not go on with a part of it."""
    headers = response.headers
    validator = _validator(headers)
    length = headers.get("Content-Length", "")
    if validator is None or not length.isdigit() or "bytes" not in headers.get("Accept-Ranges", ""):
        return None
    return Origin(url, validator, int(length))


def _validator(headers: httpx.Headers) -> str | None:
    """Strong validator of an answer (RFC 9110, 8.8): a strong ETag, or a time that no later change can share."""
    tag = headers.get("ETag", "")
    if tag.startswith('"'):
        return str(tag)
    try:
        modified, now = (parsedate_to_datetime(headers[name]) for name in ("Last-Modified", "Date"))
        return str(headers["Last-Modified"]) if now - modified >= timedelta(seconds=1) else None
    except (KeyError, ValueError, TypeError):
        return None


def _check_length(response: httpx.Response, url: str) -> None:
    expected = response.headers.get("Content-Length")
    if expected is not None and response.num_bytes_downloaded != int(expected):
        raise FetchError(f"{url}: expected {expected} bytes, got {response.num_bytes_downloaded}; try again later.")


def _is_verified(part: PartialFile, response: httpx.Response, *, resumed: bool) -> bool:
    """Read what came; false when it is bad and the fault may be that of an older part of it."""
    content = part.read()
    origin = part.origin
    if origin is not None and len(content) != origin.length:
        raise FetchError(f"{part.url}: expected {origin.length} bytes, got {len(content)}; try again later.")
    try:
        parse_apstar(content, path=part.url)
    except BadInputError as error:
        if resumed:
            return False
        if error.reason in _MAY_BE_CUT and "Content-Length" not in response.headers:
            raise FetchError(f"{error.message} The answer had no length to check.") from error
        raise
    return True
