"""Where things are kept, and the lock that processes share."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from apogee_labels.core.settings import PROJECT_ROOT, Settings
from apogee_labels.pipeline.workspace import Workspace

HOLDER = """
import sys
from apogee_labels.pipeline.workspace import Workspace
with Workspace.open() as workspace, workspace.lock("scan-apo25m") as note:
    note.write_text("from the other process")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    with Workspace.open(Settings(data_dir=tmp_path / "data")) as workspace:
        return workspace


def test_everything_is_below_the_data_folder(workspace: Workspace) -> None:
    data_dir, identity = workspace.settings.data_dir, "0123456789abcdef" * 4
    assert workspace.normalized_path(identity) == data_dir / "normalized" / "01" / f"{identity}.fits"
    assert workspace.model_path(identity) == data_dir / "models" / f"{identity}.fits"
    nights, summary = data_dir / "nights" / "apo25m", data_dir / "summary"
    assert workspace.night_path("apo25m", 59280) == nights / "apogeeNight-apo25m-59280.fits"
    assert workspace.night_path("apo25m", 59280, visits=True) == nights / "apogeeNightVisits-apo25m-59280.fits"
    assert workspace.summary_path(identity) == summary / "apogeeAllStarTheCannon-0123456789ab.fits"
    assert workspace.summary_path(identity, visits=True) == summary / "apogeeAllVisitTheCannon-0123456789ab.fits"


def test_it_is_opened_by_the_environment_s_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APOGEE_LABELS_DATA_DIR", str(tmp_path / "elsewhere"))
    with Workspace.open() as workspace:
        assert workspace.settings.data_dir == tmp_path / "elsewhere"
    assert (tmp_path / "elsewhere" / "catalog.db").exists()


def test_an_archive_is_of_the_installation_s_release_or_of_the_one_asked_for(tmp_path: Path) -> None:
    with Workspace.open(Settings(data_dir=tmp_path, release="dr17", apred="test")) as workspace:
        archives = [workspace.archive(), workspace.archive("dr16"), workspace.archive("dr16", "r13")]
    assert [(archive.release, archive.apred) for archive in archives] == [
        ("dr17", "test"), ("dr16", "r12"), ("dr16", "r13"),
    ]  # fmt: skip


def test_a_lock_is_held_among_processes_and_ends_with_its_holder(workspace: Workspace) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT_ROOT), "APOGEE_LABELS_DATA_DIR": str(workspace.settings.data_dir),
    }  # fmt: skip
    command = [sys.executable, "-c", HOLDER]
    entered, notes = threading.Event(), []

    def enter() -> None:
        with workspace.lock("scan-apo25m") as note:
            notes.append(note.read_text())
            entered.set()

    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.3)
        with workspace.lock("scan-lco25m"):
            pass  # another name is another lock
        holder.kill()  # as a crash would: nothing has to be cleaned up
        assert entered.wait(5)
        waiting.join()
    assert notes == ["from the other process"]


def test_a_lock_is_held_among_threads_and_let_go_by_an_error(workspace: Workspace) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with workspace.lock("a"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    with pytest.raises(RuntimeError), workspace.lock("a"):
        raise RuntimeError
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 1
