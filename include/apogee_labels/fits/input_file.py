"""The bytes of an input file: opened so that nothing with a spectrum's name can hang or surprise its reader."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from apogee_labels.core.errors import BadInputError, Reason

LARGEST = 1 << 30
"""Bytes above which a file is no apStar file; the largest known, with hundreds of visits, is a tenth of it."""

_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
_NO_FILE = {errno.EISDIR, errno.ELOOP, errno.ENXIO}


def read_content(path: str | Path) -> bytes:
    """Read all bytes of a regular file, once.

    Raises
    ------
    BadInputError
        MISSING when the file (or what a link leads to) is not there, NOT_A_FILE when it is a directory, a pipe or a
        device, EMPTY when it has no bytes, UNREADABLE when it is larger than any apStar file.
    OSError
        Any other failure of the file system, which may pass.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > LARGEST:
            raise BadInputError(
                Reason.UNREADABLE, f"{path}: expected an apStar file of at most {LARGEST} bytes, got {size}."
            )
        return _not_empty(stream.read(), path)


def read_start(path: str | Path, n_bytes: int) -> bytes:
    """Read the first `n_bytes` of a regular file, or all of a shorter one; errors as for :func:`read_content`."""
    with open_regular(path) as stream:
        return _not_empty(stream.read(n_bytes), path)


@contextmanager
def open_regular(path: str | Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading and close it again; a pipe is refused instead of waited for.

    Raises
    ------
    BadInputError
        MISSING or NOT_A_FILE.
    OSError
        Any other failure.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe waits for its other end for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _as_bad_input(error, path) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _not_a_file(path)
    with os.fdopen(handle, "rb") as stream:
        yield stream


def _as_bad_input(error: OSError, path: str | Path) -> BadInputError | OSError:
    """`error` itself, unless it says that there will never be a file to read."""
    if error.errno in _GONE:
        return BadInputError(Reason.MISSING, f"{path}: expected a file, but there is none; it may have been removed.")
    return _not_a_file(path) if error.errno in _NO_FILE else error


def _not_a_file(path: str | Path) -> BadInputError:
    return BadInputError(
        Reason.NOT_A_FILE, f"{path}: expected a regular file, got a directory, pipe or device; remove it."
    )


def _not_empty(content: bytes, path: str | Path) -> bytes:
    if not content:
        raise BadInputError(Reason.EMPTY, f"{path}: expected a FITS file, got one of 0 bytes; fetch it again.")
    return content
