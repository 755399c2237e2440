"""The triggers that stat files: until they are there and quiet, or each time one has changed."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.module_loading import import_string

from apogee_airflow.triggers.files import FileChangedTrigger, FilesSettledTrigger, signature

POLL = 0.02


def age(path: Path, seconds: float = 3600) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def events(trigger: FilesSettledTrigger, meanwhile: Callable[[], Any] | None = None) -> list[Any]:
    """Everything that a trigger yields until it ends; `meanwhile` runs in a thread of its own after a few polls."""
    if meanwhile:
        timer = threading.Timer(5 * POLL, meanwhile)
        timer.start()

    async def collect() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(collect(), 10))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.fits"
    path.write_bytes(b"content")
    age(path)
    return path


def test_it_survives_the_way_to_the_triggerer(path: Path) -> None:
    trigger = FilesSettledTrigger([str(path)], soon(60), 3.0, 4.0)
    name, arguments = trigger.serialize()
    assert name.startswith("apogee_airflow."), "plugins.apogee_cannon would be a second module"
    assert import_string(name) is FilesSettledTrigger
    again = import_string(name)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == trigger.serialize()
    assert vars(again).items() >= arguments.items()


def test_it_fires_once_when_the_files_are_here_and_quiet(path: Path) -> None:
    assert events(FilesSettledTrigger([str(path)], soon(60), poll_interval=POLL)) == [{"settled": True}]


def test_it_waits_for_the_last_of_them(path: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.fits"

    def arrive() -> None:
        late.write_bytes(b"x")

    trigger = FilesSettledTrigger([str(path), str(late)], soon(60), settle_time=0, poll_interval=POLL)
    assert not trigger.settled()
    assert events(trigger, arrive) == [{"settled": True}]
    assert late.exists()


def test_it_does_not_fire_while_a_file_grows(path: Path) -> None:
    writing = threading.Event()

    def write() -> None:
        for _ in range(20):
            with path.open("ab") as stream:
                stream.write(b"more")
            time.sleep(POLL)
        writing.set()

    path.touch()
    trigger = FilesSettledTrigger([str(path)], soon(60), settle_time=0.8, poll_interval=POLL)
    assert events(trigger, write) == [{"settled": True}]
    assert writing.is_set()
    assert time.time() - path.stat().st_mtime >= 0.8


def test_it_gives_up_at_the_deadline(tmp_path: Path) -> None:
    started = time.monotonic()
    assert events(FilesSettledTrigger([str(tmp_path / "none")], soon(0.2), poll_interval=POLL)) == [{"settled": False}]
    assert 0.15 < time.monotonic() - started < 5


def test_the_deadline_is_absolute(tmp_path: Path) -> None:
    """A triggerer that starts again makes the trigger anew, and the wait is no longer for it."""
    trigger = FilesSettledTrigger([str(tmp_path / "none")], soon(-1), poll_interval=1e6)
    assert events(trigger) == [{"settled": False}]


def test_a_file_that_is_here_when_the_deadline_is_past_counts(path: Path) -> None:
    assert events(FilesSettledTrigger([str(path)], soon(-1), poll_interval=POLL)) == [{"settled": True}]


def test_a_time_stamp_of_the_future_does_not_keep_it_waiting(path: Path) -> None:
    age(path, -3600)
    assert FilesSettledTrigger([str(path)]).settled()


def test_a_slow_disk_does_not_hold_up_the_other_triggers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: FilesSettledTrigger) -> bool:
        time.sleep(0.3)
        return True

    monkeypatch.setattr(FilesSettledTrigger, "settled", slow)

    async def count() -> int:
        trigger = FilesSettledTrigger([str(path)])
        waiting = asyncio.ensure_future(anext(trigger.run()))
        ticks = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(count()) > 5


# -- a watched file ---------------------------------------------------------------------------------------------------


class Store:
    """What Airflow keeps with an asset, over restarts of the triggerer: as JSON."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def aget(self, key: str) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else None

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)


class Away(Store):
    """It cannot be reached."""

    async def aget(self, key: str) -> Any:
        raise ConnectionError("the API server is away")

    async def aset(self, key: str, value: Any) -> None:
        raise ConnectionError("the API server is away")


def watch(path: Path, store: Store | None, expected: list[int], *changes: Callable[[], Any]) -> None:
    """See how many events there are at first, and after each of the changes; then the triggerer ends."""

    async def counted() -> list[int]:
        trigger: Any = FileChangedTrigger(str(path), settle_time=0.0, poll_interval=POLL)
        trigger.asset_state_store = store
        events: list[Any] = []

        async def collect() -> None:
            async for event in trigger.run():
                events.append(event.payload)  # noqa: PERF401 - they are counted while it runs

        task = asyncio.ensure_future(collect())
        counts = []
        for count, change in zip(expected, (lambda: None, *changes), strict=True):
            change()
            deadline = time.monotonic() + 10.0
            while len(events) < count and time.monotonic() < deadline:
                await asyncio.sleep(POLL)
            await asyncio.sleep(8 * POLL)  # and no more
            counts.append(len(events))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert events == [{"path": str(path)}] * len(events)
        return counts

    assert asyncio.run(counted()) == expected


def test_the_watcher_survives_the_way_to_the_triggerer(path: Path) -> None:
    trigger = FileChangedTrigger(str(path), 3.0, 4.0)
    name, arguments = trigger.serialize()
    assert import_string(name) is FileChangedTrigger
    again = import_string(name)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == trigger.serialize()
    assert FileChangedTrigger.hash(name, arguments) == FileChangedTrigger.hash(*again.serialize())


@pytest.mark.parametrize("store", [Store(), Away(), None])
def test_it_fires_once_for_each_change(path: Path, store: Store | None) -> None:
    watch(path, store, [1, 2, 3, 3], lambda: age(path, 60), lambda: path.write_bytes(b"more"), lambda: None)


def test_a_triggerer_that_starts_again_fires_for_what_changed_meanwhile_alone(path: Path) -> None:
    store = Store()
    watch(path, store, [1])
    watch(path, store, [0])
    path.write_bytes(b"other")
    watch(path, store, [1])


@pytest.mark.parametrize("way", ["chmod", "replaced"])
def test_what_keeps_size_and_time_is_a_change_as_well(path: Path, way: str) -> None:
    """A file that may be read now; a copy of another content that keeps the time stamp (cp -p, rsync -t)."""
    stat = path.stat()

    def change() -> None:
        time.sleep(0.02)  # a file system's clock ticks a hundred times a second
        if way == "chmod":
            path.chmod(0o600)
        else:
            other = path.with_name("other")
            other.write_bytes(b"CONTENT")
            os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            other.replace(path)

    watch(path, Store(), [1, 2], change)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def test_a_file_that_is_away_for_a_moment_is_no_event_and_another_one_in_its_place_is(path: Path) -> None:
    """Whoever publishes by a link takes the old one away first."""
    link, other = path.with_name("current"), path.with_name("other.fits")
    link.symlink_to(path)
    other.write_bytes(b"other content")
    watch(link, Store(), [1, 1, 2], link.unlink, lambda: link.symlink_to(other))
    assert signature(link) == signature(other)
    assert signature(path / "below a file") is None


def test_a_file_that_is_being_written_is_no_event_yet(path: Path) -> None:
    path.touch()

    async def first() -> Any:
        return await anext(FileChangedTrigger(str(path), settle_time=600.0, poll_interval=POLL).run())

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(first(), 10 * POLL))
