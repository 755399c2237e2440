"""The trigger that stats a short list of files."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.module_loading import import_string

from apogee_airflow.triggers.files import FilesSettledTrigger, signature

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
    trigger = FilesSettledTrigger([str(path)], soon(60), 3.0, 4.0, {str(path): [1, 2]})
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


def test_a_file_that_is_known_counts_as_not_there_until_it_changes(path: Path) -> None:
    seen = signature(path)
    assert seen is not None
    trigger = FilesSettledTrigger([str(path)], soon(60), poll_interval=POLL, known={str(path): seen})
    assert not trigger.settled()
    assert events(trigger, lambda: age(path, 1800)) == [{"settled": True}]


def test_a_known_signature_that_came_back_from_json_is_the_same(path: Path) -> None:
    trigger = FilesSettledTrigger([str(path)], None, known=json.loads(json.dumps({str(path): signature(path)})))
    assert not trigger.settled()


def test_a_link_that_vanishes_for_a_moment_is_waited_for(path: Path, tmp_path: Path) -> None:
    """Whoever publishes by a link takes the old one away first: that is no change, and no error."""
    link, known = tmp_path / "current", signature(path)
    link.symlink_to(path)
    assert known is not None
    trigger = FilesSettledTrigger([str(link)], soon(60), settle_time=0, poll_interval=POLL, known={str(link): known})
    other = tmp_path / "other.fits"
    other.write_bytes(b"other content")
    missing = threading.Event()

    def replace() -> None:
        link.unlink()
        time.sleep(5 * POLL)
        missing.set()
        link.symlink_to(other)

    assert events(trigger, replace) == [{"settled": True}]
    assert missing.is_set(), "it did not fire for the link that was away"
    assert signature(link) == signature(other)
    assert signature(tmp_path / "current" / "below a file") is None


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
