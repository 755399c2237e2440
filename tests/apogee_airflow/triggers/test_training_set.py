"""The trigger that waits for another training set, and makes room for a run that is queued."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.module_loading import import_string

from apogee_airflow.triggers import training_set as subject
from apogee_airflow.triggers.files import signature
from apogee_airflow.triggers.training_set import TrainingSetTrigger


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def events(trigger: TrainingSetTrigger) -> list[Any]:
    async def collect() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(collect(), 10))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "set.pkl"
    path.write_bytes(b"content")
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def known(path: Path) -> dict[str, list[int]]:
    seen = signature(path)
    assert seen is not None
    return {str(path): seen}


def test_it_survives_the_way_to_the_triggerer(path: Path) -> None:
    trigger = TrainingSetTrigger([str(path)], soon(60), 3.0, 4.0, known(path), dag_id="a_dag")
    name, arguments = trigger.serialize()
    again = import_string(name)(**json.loads(json.dumps(arguments)))
    assert type(again) is TrainingSetTrigger
    assert again.serialize() == trigger.serialize()
    assert (again.dag_id, again.known) == ("a_dag", known(path))


def test_a_queued_run_ends_the_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def queued(dag_id: str) -> int:
        asked.append(dag_id)
        return len(asked) // 3

    monkeypatch.setattr(subject, "_queued_runs", queued)
    trigger = TrainingSetTrigger([str(path)], soon(60), poll_interval=0.02, known=known(path), dag_id="a_dag")
    assert events(trigger) == [{"settled": False, "queued": True}]
    assert asked == ["a_dag"] * 3


def test_a_file_that_has_changed_comes_before_a_queued_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_queued_runs", lambda _: 1)
    assert events(TrainingSetTrigger([str(path)], soon(60), dag_id="a_dag")) == [{"settled": True}]


@pytest.mark.parametrize("dag_id", [None, "a_dag"])
def test_without_an_answer_the_wait_goes_on(path: Path, dag_id: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: str) -> int:
        raise ConnectionError("the API server is away")

    monkeypatch.setattr(subject, "_queued_runs", lost)
    trigger = TrainingSetTrigger([str(path)], soon(0.2), poll_interval=0.02, known=known(path), dag_id=dag_id)
    assert events(trigger) == [{"settled": False}]


@pytest.mark.parametrize("way", ["chmod", "replaced"])
def test_what_keeps_size_and_time_wakes_it_as_well(path: Path, way: str) -> None:
    """A file that may be read now; a copy of another content that keeps the time stamp (cp -p, rsync -t)."""
    trigger = TrainingSetTrigger([str(path)], soon(60), known=known(path))
    stat = path.stat()
    assert not trigger.settled()
    time.sleep(0.02)  # a file system's clock ticks a hundred times a second
    if way == "chmod":
        path.chmod(0o600)
    else:
        other = path.with_name("other")
        other.write_bytes(b"CONTENT")
        os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert trigger.settled()
