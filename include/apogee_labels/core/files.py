"""Writing so that no reader ever sees half a file, and paths that stay below a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apogee_labels.core.identity import digest_file


@contextmanager
def atomic_write(path: str | Path, *, mode: int | None = None, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well, and is removed when it does not.

    The content is on disk before the name is (``fsync``), so that a power cut leaves the old file or the new one.  Where
    that is not worth its time, `durable` is False: a power cut may then leave a damaged file, which must carry its sums and
    be one that can be made anew.  Folders are made as needed.  The file gets `mode`, by default what the umask leaves of
    0o666.  Temporary names start with a dot and end in ``.part``: no scan takes them for a product.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        put_in_place(temporary, path, mode=mode, durable=durable)
    finally:
        temporary.unlink(missing_ok=True)


def put_in_place(temporary: Path, path: Path, *, mode: int | None = None, durable: bool = True) -> None:
    """Give a complete file in the same folder its name, as :func:`atomic_write` does at its end."""
    if durable:
        _sync(temporary)
    temporary.chmod(0o666 & ~_umask() if mode is None else mode)
    temporary.replace(path)
    if durable:
        _sync(path.parent)


def write_if_changed(path: str | Path, write: Callable[[Path], object]) -> bool:
    """Let `write` write a file beside `path`, which takes its name unless that has the same content: whether it did.

    A file that stays keeps its time stamp, so that whoever watches it sees no change.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".new-{path.name}")
    try:
        write(beside)
        if path.is_file() and digest_file(beside) == digest_file(path):
            return False
        put_in_place(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return True


def path_below(path: str | Path, roots: Iterable[Path]) -> Path | None:
    """Return a path with links resolved, if it lies below one of `roots`: a form must not open other files."""
    resolved = Path(path).expanduser().resolve()
    return resolved if any(resolved.is_relative_to(root.resolve()) for root in roots) else None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask: mkstemp makes files that only their owner reads, which a product is not.

    Reading it means setting it: for an instant another thread could make a file with the stricter one, never a laxer.
    """
    current = os.umask(0o077)
    os.umask(current)
    return current
