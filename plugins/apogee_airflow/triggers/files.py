"""Wait until files have come and are quiet, or until a deadline; or tell each time a file has changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

log = logging.getLogger(__name__)

Signature = list[int]
"""What a glance tells of a file: its size in bytes, when it was written and when anything about it changed (both in
nanoseconds), and its number on the disk.  A copy that keeps size and time differs in the last two, and one that may be read
now, and might not before, in the third."""
SIGNATURE_KEY = "signature"
"""Under which Airflow keeps with a watched asset what its file looked like."""


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
    """

    def __init__(
        self, paths: Sequence[str], deadline: str | None = None, settle_time: float = 10.0, poll_interval: float = 5.0
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.paths = list(paths)
        self.deadline = deadline
        self.settle_time = settle_time
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, as the triggerer stores them."""
        return (
            "apogee_airflow.triggers.files.FilesSettledTrigger",
            {
                "paths": self.paths,
                "deadline": self.deadline,
                "settle_time": self.settle_time,
                "poll_interval": self.poll_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, sleep, look again."""
        while True:
            if await asyncio.to_thread(self.settled):
                yield TriggerEvent({"settled": True})
                return
            if self.deadline and datetime.now(UTC) >= datetime.fromisoformat(self.deadline):
                yield TriggerEvent({"settled": False})
                return
            await asyncio.sleep(self.poll_interval)

    def settled(self) -> bool:
        """Whether all files are there and quiet."""
        return all(settled_signature(path, self.settle_time) is not None for path in self.paths)


class FileChangedTrigger(BaseEventTrigger):
    """Fires for an ``AssetWatcher`` each time a file is quiet and does not look as it did when it fired last.

    What it looked like is kept by Airflow with the asset: a triggerer that starts again fires only if the file has changed
    meanwhile.  Where that cannot be read or written it fires once too often: an event only says that a look is worth while.

    Parameters
    ----------
    path
        The file; each poll is one ``stat``, away from the event loop.
    settle_time
        Seconds for which it must not have changed.
    poll_interval
        Seconds between two looks.
    """

    def __init__(self, path: str, settle_time: float = 5.0, poll_interval: float = 10.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = path
        self.settle_time = settle_time
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, by which Airflow tells watchers apart."""
        return (
            "apogee_airflow.triggers.files.FileChangedTrigger",
            {"path": self.path, "settle_time": self.settle_time, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, sleep, look again, for ever."""
        told = await self._recall()
        while True:
            seen = await asyncio.to_thread(settled_signature, self.path, self.settle_time)
            if seen is not None and seen != told:
                yield TriggerEvent({"path": self.path})
                await asyncio.sleep(self.poll_interval)  # until the event has arrived: otherwise it is told again
                told = seen
                await self._remember(seen)
            await asyncio.sleep(self.poll_interval)

    async def _recall(self) -> Any:
        try:
            return await self.asset_state_store.aget(SIGNATURE_KEY) if self.asset_state_store else None
        except Exception as fault:  # noqa: BLE001 - one event too many
            log.warning("%s: what it looked like last is not known: %s", self.path, fault)
            return None

    async def _remember(self, seen: Signature) -> None:
        try:
            if self.asset_state_store:
                await self.asset_state_store.aset(SIGNATURE_KEY, list(seen))
        except Exception as fault:  # noqa: BLE001 - one event too many, later
            log.warning("%s: what it looks like now could not be kept: %s", self.path, fault)


def signature(path: str | Path) -> Signature | None:
    """Return what a glance tells of a file, or of what a link points to; None when it is not there now."""
    try:
        stat = Path(path).stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def settled_signature(path: str | Path, settle_time: float) -> Signature | None:
    """Return the signature of a file that is there and was not written for `settle_time` seconds; otherwise None."""
    now = signature(path)
    if now is None or abs(datetime.now(UTC).timestamp() - now[1] / 1e9) < settle_time:
        return None
    return now
