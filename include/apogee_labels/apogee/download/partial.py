"""A file on its way: kept beside its target when a transfer breaks off, so that the next one goes on from there.

The part has a hidden name that no scan takes for a spectrum.  Beside it lies a note of what it is a part of: the URL, the
length, and the validator (RFC 9110, 8.8) by which the server can tell whether it still has the same content.  A part without
such a note, or of another URL, is worth nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from apogee_labels.core.files import atomic_write, put_in_place


@dataclass(frozen=True)
class Origin:
    """What a part is a part of.

    Parameters
    ----------
    url
        As it was asked for.
    validator
        The server's strong ETag, or the Last-Modified that is as good as one: other content has another.
    length
        Bytes of the whole file.
    """

    url: str
    validator: str
    length: int


class PartialFile:
    """The part of one target.  Use it in a ``with``: at the end a part that the server can go on with is kept, another not.

    One process at a time holds a target's part, by a lock that ends with its holder.  Whoever comes second works on a
    file of its own: the transfer is made twice, and whole both times.

    Parameters
    ----------
    target
        The path that the file gets once it is complete.
    url
        Where it comes from.
    """

    def __init__(self, target: Path, url: str) -> None:
        self.target = target
        self.url = url
        self.path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.origin.part")
        self._stream: BinaryIO | None = None
        self.origin: Origin | None = None
        self.offset = 0

    def __enter__(self) -> Self:
        with suppress(FileNotFoundError):
            if self._claim(os.O_RDWR):
                self._recall()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            if self.origin is None or max(self.offset, self._stream.tell()) == 0:
                self._remove()
            self._stream.close()

    def begin(self, origin: Origin | None) -> BinaryIO:
        """Return the empty part, to be written; with an `origin` it is kept if the transfer breaks off."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if self._stream is None and not self._claim(os.O_RDWR | os.O_CREAT):
            self._use_a_file_of_its_own()
        stream = self._open_stream()
        stream.seek(0)
        stream.truncate()
        self.offset, self.origin = 0, origin if self._is_shared else None
        if self.origin is not None:
            with atomic_write(self._note) as temporary:
                temporary.write_text(json.dumps(asdict(self.origin)), encoding="utf-8")
        return stream

    def go_on(self) -> BinaryIO:
        """Return the part, to be written from :attr:`offset` on."""
        stream = self._open_stream()
        stream.seek(self.offset)
        stream.truncate()
        return stream

    def forget(self) -> None:
        """Give up what is there: it is not a part of what the server has."""
        self.offset, self.origin = 0, None

    def read(self) -> bytes:
        """Return all that is there."""
        self._open_stream().flush()
        return self.path.read_bytes()

    def finish(self) -> None:
        """Give the part its target's name: it is complete."""
        stream = self._open_stream()
        stream.flush()
        put_in_place(self.path, self.target)
        if self._is_shared:
            self._note.unlink(missing_ok=True)
        stream.close()
        self._stream = None

    @property
    def _is_shared(self) -> bool:
        """Whether this is the part that the next transfer finds."""
        return self.path.name == f".{self.target.name}.part"

    def _claim(self, flags: int) -> bool:
        """Open the part and lock it; false when another process has it."""
        stream = os.fdopen(os.open(self.path, flags | os.O_NOFOLLOW, 0o666), "r+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have finished meanwhile: then what was opened has the target's name now.
            if os.path.samestat(os.fstat(stream.fileno()), self.path.stat()):
                self._stream = stream
                return True
        except OSError:  # held by another, gone again, or a file system that knows no locks
            pass
        stream.close()
        return False

    def _use_a_file_of_its_own(self) -> None:
        handle, name = tempfile.mkstemp(dir=self.target.parent, prefix=f".{self.target.name}.", suffix=".part")
        self.path, self._stream = Path(name), os.fdopen(handle, "r+b")

    def _recall(self) -> None:
        """Read the note, and see how much of what it describes is there."""
        try:
            origin = Origin(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return
        size = self._size()
        if origin.url == self.url and 0 < size <= origin.length:
            # At least one byte is asked for: of a part that is complete, the server confirms that it is.
            self.origin, self.offset = origin, min(size, origin.length - 1)

    def _size(self) -> int:
        return os.fstat(self._open_stream().fileno()).st_size

    def _remove(self) -> None:
        self.path.unlink(missing_ok=True)
        if self._is_shared:
            self._note.unlink(missing_ok=True)

    def _open_stream(self) -> BinaryIO:
        if self._stream is None:
            raise ValueError(f"{self.path} is not open: begin() comes first.")
        return self._stream
