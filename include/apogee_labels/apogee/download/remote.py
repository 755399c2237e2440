"""Asking a server that has SDSS's archive: the connection, the credentials, and what its answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from netrc import NetrcParseError
from typing import TYPE_CHECKING

from apogee_labels.core.errors import BadInputError, Reason

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT = 15.0
"""Seconds to wait for a connection."""
READ_TIMEOUT = 60.0
"""Seconds to wait for the next bytes of an answer."""

ABSENT = frozenset({404, 410})
"""Answers that say that there is no such file."""
REFUSED = frozenset({401, 403, 407})
"""Answers that ask for other credentials."""


class FetchError(OSError):
    """The file could not be fetched this time: a network, a server, an answer cut short.  To be tried again.

    Parameters
    ----------
    message
        One line: what was asked, what came, what to do.
    retry_after
        Seconds after which the server asked to be tried again, if it did.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@contextmanager
def remote_client(connections: int = 1) -> Iterator[httpx.Client]:
    """Client that keeps up to so many connections open, for any number of threads.

    Credentials are those of ``~/.netrc`` for the host that is asked, as sdss_access takes them.  A redirection to another
    host is followed without them.

    Raises
    ------
    PermissionError
        ``~/.netrc`` is there and cannot be read.
    """
    import httpx

    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    # Compressed on the way, the length that the server gives would not be that of the file.
    headers = {"Accept-Encoding": "identity"}
    with httpx.Client(
        auth=_credentials(), timeout=timeout, limits=limits, headers=headers, follow_redirects=True
    ) as client:
        yield client


def _credentials() -> httpx.Auth | None:
    """Credentials of ``~/.netrc`` for whichever host asks, or None when there is no such file."""
    import httpx

    try:
        return httpx.NetRCAuth()
    except FileNotFoundError:
        return None
    except NetrcParseError as error:
        raise PermissionError(f"~/.netrc cannot be read ({error}): mend it, see `man netrc`.") from error


@contextmanager
def remote_answer(client: httpx.Client, method: str, url: str) -> Iterator[httpx.Response]:
    """Answer to a request, its body not yet read; failures of the transfer, whenever they come, as FetchError.

    Raises
    ------
    FetchError
        The server cannot be reached, or the connection broke off before the end of the block.
    ValueError
        `url` is none that can be fetched.
    """
    import httpx

    try:
        with client.stream(method, url) as response:
            yield response
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ValueError(f"{url} is no URL to fetch from: expected a base such as https://data.sdss.org.") from error
    except httpx.HTTPError as error:
        raise FetchError(f"{url} could not be fetched ({error or type(error).__name__}); try again later.") from error


def check_status(response: httpx.Response, url: str) -> None:
    """See that an answer is the whole file.

    Raises
    ------
    BadInputError
        NOT_AT_REMOTE: the server has no such file.
    PermissionError
        It wants credentials that ``~/.netrc`` does not have.
    FetchError
        Any other answer than 200.
    """
    status = response.status_code
    if status in ABSENT:
        raise BadInputError(
            Reason.NOT_AT_REMOTE, f"{url}: the server has no such file (HTTP {status}); check the keys."
        )
    if status in REFUSED:
        host = response.url.host
        raise PermissionError(
            f"{url}: the server refused (HTTP {status}); put 'machine {host} login ... password ...' into ~/.netrc."
        )
    if status != 200:
        raise FetchError(
            f"{url} could not be fetched (HTTP {status}); try again later.", retry_after=_retry_after(response)
        )


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds of the answer's Retry-After; its other form, a date, is left to the caller's own patience."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None
