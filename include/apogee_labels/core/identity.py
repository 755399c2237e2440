"""Digests: what something is known by, whatever its name, place or time stamp.

A product's identity is the digest of what made it: the content of its input, the parameters that matter and the version
of the method (ARCHITECTURE.md, "Identity").
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from pathlib import Path

SHORT = 12
"""Characters of a digest that are shown to people; the whole of it is what is stored and compared."""


def digest_bytes(content: bytes | memoryview) -> str:
    """SHA-256 of `content`, as 64 hexadecimal characters."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: str | Path) -> str:
    """SHA-256 of a regular file's content, read in blocks.

    Raises
    ------
    OSError
        The file is not there, cannot be read, or is a directory, a pipe or a device.
    """
    # Without O_NONBLOCK, opening a named pipe waits for its other end for ever.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "expected a regular file, got a pipe or a device", str(path))
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of(**parts: object) -> str:
    """SHA-256 of named JSON values: the identity of whatever those values determine.

    The order of the names does not matter, that of a list does.  Floats are written in full, and a whole float is the
    integer it equals, so that ``order=3`` and ``order=3.0`` are one parameter.

    Raises
    ------
    TypeError
        A part is not plain JSON (numpy scalars included: convert them, their text is not stable over versions).
    ValueError
        A float is NaN or infinite: such a parameter identifies nothing.
    """
    text = json.dumps(_canonical(parts), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return digest_bytes(text.encode())


def short(digest: str) -> str:
    """The part of a digest that a person reads."""
    return digest[:SHORT]


def _canonical(value: object) -> object:
    """`value` with tuples as lists and whole floats as integers, all through."""
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if type(value) is float and value.is_integer():
        return int(value)
    return value
