"""Wait until files have come and are quiet, or until a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

Signature = list[int]
"""What a glance tells of a file: its size in bytes, when it was written and when anything about it changed (both in
nanoseconds), and its number on the disk.  A copy that keeps size and time differs in the last two, and one that may be read
now, and might not before, in the third."""


class FilesSettledTrigger(BaseTrigger):
    """Fires once, with ``{"settled": bool}``: every file is there and quiet, or the deadline has passed.

    Parameters
    ----------
    paths
        A short list of files; each poll is one ``stat`` a file, away from the event loop.
    deadline
        Moment (ISO 8601) after which it fires with ``settled`` false; None waits for ever.  It is absolute, so that a
        restart of the triggerer does not prolong it.
    settle_time
        Seconds for which a file must not have changed.
    poll_interval
        Seconds between two looks.
    known
        Signatures of files that are known already, by path: such a file counts as not there until it changes.
    """

    def __init__(
        self,
        paths: Sequence[str],
        deadline: str | None = None,
        settle_time: float = 10.0,
        poll_interval: float = 5.0,
        known: dict[str, Signature] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.paths = list(paths)
        self.deadline = deadline
        self.settle_time = settle_time
        self.poll_interval = poll_interval
        self.known = known or {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, as the triggerer stores them."""
        return (
            "apogee_airflow.triggers.files.FilesSettledTrigger",
            {
                "paths": self.paths,
                "deadline": self.deadline,
                "settle_time": self.settle_time,
                "poll_interval": self.poll_interval,
                "known": self.known,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, sleep, look again."""
        while True:
            if await asyncio.to_thread(self.settled):
                yield TriggerEvent({"settled": True})
                return
            if (interruption := await self.interruption()) is not None:
                yield TriggerEvent(interruption)
                return
            if self.deadline and datetime.now(UTC) >= datetime.fromisoformat(self.deadline):
                yield TriggerEvent({"settled": False})
                return
            await asyncio.sleep(self.poll_interval)

    async def interruption(self) -> dict[str, Any] | None:
        """What else ends the wait, as the event that tells of it; None: nothing, it goes on."""
        return None

    def settled(self) -> bool:
        """Whether all files are there, changed since they were known, and quiet."""
        return all(self._file_settled(path) for path in self.paths)

    def _file_settled(self, path: str) -> bool:
        now = signature(path)
        if now is None or now == self.known.get(path):
            return False
        return abs(datetime.now(UTC).timestamp() - now[1] / 1e9) >= self.settle_time


def signature(path: str | Path) -> Signature | None:
    """Return what a glance tells of a file, or of what a link points to; None when it is not there now."""
    try:
        stat = Path(path).stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
