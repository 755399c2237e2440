"""Fetching a file that the local archive does not have from SDSS's server, or from another that has the archive.

sdss_access's own transfer takes any existing file for complete, writes under the final name and only prints what went
wrong.  Here a file has its name when it has been read and found good, and never before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from netrc import NetrcParseError
from pathlib import Path
from typing import TYPE_CHECKING

from include.apogee.apstar import parse_apstar, read_apstar
from include.apogee.archive import ApStarKeys, Archive
from include.apogee.content import LARGEST
from include.errors import BadInputError, Reason
from include.files import atomic_write

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT = 15.0
"""Seconds to wait for a connection."""
READ_TIMEOUT = 60.0
"""Seconds to wait for the next bytes of an answer."""

_CHUNK = 1 << 18
_ABSENT = {404, 410}
_REFUSED = {401, 403, 407}
_MAY_BE_CUT = {Reason.EMPTY, Reason.UNREADABLE}


class FetchError(OSError):
    """The file could not be fetched this time: a network, a server, an answer cut short.  To be tried again."""


def fetch_apstar(archive: Archive, keys: ApStarKeys, *, remote_base: str | None = None) -> Path:
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
        Trouble that may pass; nothing is left of the attempt.
    ValueError
        `remote_base` is no URL of a server, or a key is missing.
    """
    path = archive.path(keys)
    if not _is_good(path):
        _fetch(archive.remote_url(keys, remote_base), path)
    return path


def _is_good(path: Path) -> bool:
    try:
        read_apstar(path)
    except BadInputError as error:
        if error.reason is Reason.NOT_A_FILE:
            raise
        return False
    return True


def _fetch(url: str, path: Path) -> None:
    with _answer(url) as response:
        _check_status(response, url)
        with atomic_write(path) as temporary:
            _save(response, temporary, url)
            try:
                parse_apstar(temporary.read_bytes(), path=url)
            except BadInputError as error:
                if error.reason in _MAY_BE_CUT and "Content-Length" not in response.headers:
                    raise FetchError(f"{error.message} The answer had no length to check.") from error
                raise


@contextmanager
def _answer(url: str) -> Iterator[httpx.Response]:
    """Answer to a request, its body not yet read; failures of the transfer, whenever they come, as FetchError."""
    import httpx

    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    # Compressed on the way, the length that the server gives would not be that of the file.
    headers = {"Accept-Encoding": "identity"}
    try:
        with (
            httpx.Client(auth=_credentials(), timeout=timeout, headers=headers, follow_redirects=True) as client,
            client.stream("GET", url) as response,
        ):
            yield response
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ValueError(f"{url} is no URL to fetch from: expected a base such as https://data.sdss.org.") from error
    except httpx.HTTPError as error:
        raise FetchError(f"{url} could not be fetched ({error or type(error).__name__}); try again later.") from error


def _credentials() -> httpx.Auth | None:
    """Credentials of ``~/.netrc`` for whichever host asks, or None when there is no such file."""
    import httpx

    try:
        return httpx.NetRCAuth()
    except FileNotFoundError:
        return None
    except NetrcParseError as error:
        raise PermissionError(f"~/.netrc cannot be read ({error}): mend it, see `man netrc`.") from error


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status in _ABSENT:
        raise BadInputError(
            Reason.NOT_AT_REMOTE, f"{url}: the server has no such file (HTTP {status}); check the keys."
        )
    if status in _REFUSED:
        host = response.url.host
        raise PermissionError(
            f"{url}: the server refused (HTTP {status}); put 'machine {host} login ... password ...' into ~/.netrc."
        )
    if status != 200:
        raise FetchError(f"{url} could not be fetched (HTTP {status}); try again later.")


def _save(response: httpx.Response, path: Path, url: str) -> None:
    """Write the body of an answer, and see that all of it came."""
    with path.open("wb") as stream:
        for chunk in response.iter_bytes(_CHUNK):
            stream.write(chunk)
            if response.num_bytes_downloaded > LARGEST:
                raise FetchError(f"{url}: expected an apStar file, got more than {LARGEST} bytes; gave up.")
    expected = response.headers.get("Content-Length")
    if expected is not None and response.num_bytes_downloaded != int(expected):
        raise FetchError(f"{url}: expected {expected} bytes, got {response.num_bytes_downloaded}; try again later.")
