"""Files that are still being written, and links that are gone for a moment, are not taken; nothing is lost by that."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from astropy.io import fits

from apogee_labels.catalog.records import FileState
from apogee_labels.core.identity import digest_file
from apogee_labels.fits.content import is_whole
from apogee_labels.pipeline.ingest import registration
from apogee_labels.pipeline.ingest import scan as subject
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey

TELESCOPE = "apo25m"
SETTLE = 600.0


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "GROWTH_SECONDS", 0.2)
    monkeypatch.setattr(subject, "JUST_NOW", 0.2)


@pytest.fixture
def path(survey: SyntheticSurvey) -> Path:
    return next(survey.path(star) for star in survey.stars if star.telescope == TELESCOPE)


@contextmanager
def being_written(path: Path, content: bytes) -> Iterator[None]:
    """A writer that adds a little again and again, as long as the block lasts; then the file is whole."""
    stop = threading.Event()
    path.write_bytes(content[: len(content) // 2])

    def write() -> None:
        with path.open("ab") as stream:
            for byte in content[len(content) // 2 :]:
                stream.write(bytes([byte]))
                stream.flush()
                if stop.wait(0.01):
                    break
        path.write_bytes(content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_a_growing_file_is_not_taken_until_it_is_whole(workspace: Workspace, path: Path) -> None:
    content = path.read_bytes()
    with being_written(path, content):
        scan = scan_archive(workspace, TELESCOPE, settle_time=SETTLE)
    (entry,) = workspace.catalog.archive.files_being_written(TELESCOPE)
    assert (scan.n_writing, entry.path, entry.digest) == (1, str(path), None)
    assert workspace.catalog.archive.files_of_no_night(TELESCOPE) == [], "so that no run rejects it"
    after = scan_archive(workspace, TELESCOPE, settle_time=SETTLE)
    assert (after.n_changed, after.n_writing) == (1, 0)
    assert workspace.catalog.archive.indexed([str(path)])[str(path)].digest == digest_file(path)
    assert workspace.catalog.archive.files_being_written(TELESCOPE) == []


def test_a_star_whose_file_is_being_rewritten_keeps_its_last_content(workspace: Workspace, path: Path) -> None:
    scan_archive(workspace, TELESCOPE)
    content, before = path.read_bytes(), digest_file(path)
    with being_written(path, content):
        scan_archive(workspace, TELESCOPE, settle_time=SETTLE)
    (entry,) = workspace.catalog.archive.files_being_written(TELESCOPE)
    assert entry.digest == before


@pytest.mark.parametrize("seconds", [0.0, 2 * SETTLE])
def test_a_file_that_is_cut_short_and_stays_so_is_taken_for_bad(
    workspace: Workspace, path: Path, seconds: float
) -> None:
    """At once when it is old; after a second look when it is new."""
    path.write_bytes(path.read_bytes()[:2000])
    os.utime(path, (time.time() - seconds,) * 2)
    scan = scan_archive(workspace, TELESCOPE, settle_time=SETTLE)
    (entry,) = workspace.catalog.archive.files_of_no_night(TELESCOPE)
    assert (scan.n_writing, entry.path) == (0, str(path))


def test_whole_files_are_taken_at_once_and_without_a_pause(
    workspace: Workspace, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "GROWTH_SECONDS", 1e9)
    shutil.copyfile(path, path.with_name("copy"))
    path.with_name("copy").replace(path)
    for found in path.parent.parent.rglob("*.fits"):
        os.utime(found, (time.time() - 1.0,) * 2)  # longer ago than a moment, and younger than what has settled
    assert scan_archive(workspace, TELESCOPE, settle_time=SETTLE).n_writing == 0


def test_a_file_that_changes_while_it_is_read_is_not_taken(
    workspace: Workspace, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rewrite(read: str) -> str:
        digest = digest_file(read)
        if read == str(path):
            os.utime(read, (1, 1))
        return digest

    monkeypatch.setattr(registration, "digest_file", rewrite)
    assert scan_archive(workspace, TELESCOPE).n_writing == 1
    assert workspace.catalog.archive.indexed([str(path)])[str(path)].state is FileState.WRITING


def test_a_link_that_is_gone_for_a_moment_is_gone_and_not_bad(workspace: Workspace, path: Path) -> None:
    """SDSS-V's writer removes the link to a star's newest version, and makes it again."""
    versioned = path.rename(path.with_suffix(".version"))
    path.symlink_to(versioned)
    scan_archive(workspace, TELESCOPE)
    before = workspace.catalog.archive.indexed([str(path)])[str(path)]
    path.unlink()
    path.symlink_to(path.with_suffix(".not-yet"))
    assert scan_archive(workspace, TELESCOPE).n_gone == 1
    gone = workspace.catalog.archive.indexed([str(path)])[str(path)]
    assert (gone.state, gone.digest) == (FileState.GONE, before.digest)
    assert workspace.catalog.archive.files_of_no_night(TELESCOPE) == []
    path.unlink()
    path.symlink_to(versioned)
    scan_archive(workspace, TELESCOPE)
    assert workspace.catalog.archive.indexed([str(path)])[str(path)].state is FileState.PRESENT


def test_a_scan_serves_whoever_is_content_with_its_beginning(workspace: Workspace) -> None:
    before = datetime.now(UTC)
    assert not scan_archive(workspace, TELESCOPE).reused
    assert scan_archive(workspace, TELESCOPE, since=before).reused
    assert not scan_archive(workspace, TELESCOPE, since=datetime.now(UTC)).reused
    assert not scan_archive(workspace, TELESCOPE, since=datetime.now(UTC) + timedelta(hours=1)).reused


def test_what_a_scan_holds_in_memory_is_a_chunk(
    workspace: Workspace, survey: SyntheticSurvey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same is found, however the files fall into chunks; files of other releases are looked for, and stay."""
    monkeypatch.setattr(subject, "CHUNK", 2)
    n_files = sum(star.telescope == TELESCOPE for star in survey.stars)
    assert scan_archive(workspace, TELESCOPE).n_changed == n_files
    other = next(survey.path(star) for star in survey.stars if star.telescope != TELESCOPE)
    entry = workspace.catalog.archive.indexed().popitem()[1]
    elsewhere = [str(other), f"{other}.gone"]
    workspace.catalog.archive.index(
        [type(entry)(path=path, telescope=TELESCOPE, obj="a", size=1, mtime_ns=1, digest=None) for path in elsewhere]
    )
    scan = scan_archive(workspace, TELESCOPE)
    assert (scan.n_seen, scan.n_changed, scan.n_gone) == (n_files, 0, 1)
    assert workspace.catalog.archive.indexed(elsewhere)[str(other)].state is FileState.PRESENT


def test_a_file_that_happens_to_end_with_a_unit_while_it_grows_is_not_taken(workspace: Workspace, path: Path) -> None:
    """It is whole by the standard, and has all that is read of it; its writer has the rest still to write."""
    content = path.read_bytes()
    with fits.open(path) as hdus:
        end = int(hdus[5].fileinfo()["hdrLoc"])
    path.write_bytes(content[:end])
    assert is_whole(path)
    writer = threading.Timer(0.1, path.write_bytes, [content])
    writer.start()
    scan = scan_archive(workspace, TELESCOPE, settle_time=SETTLE)
    writer.join()
    assert scan.n_writing == 1
    assert workspace.catalog.archive.indexed([str(path)])[str(path)].state is FileState.WRITING
    time.sleep(0.2)
    assert scan_archive(workspace, TELESCOPE, settle_time=SETTLE).n_changed == 1
    assert workspace.catalog.archive.indexed([str(path)])[str(path)].digest == digest_file(path)
