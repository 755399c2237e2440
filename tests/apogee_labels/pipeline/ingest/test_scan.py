"""The index follows the archive, and reads only what changed."""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apogee_labels.apogee.spectra.apstar import read_apstar
from apogee_labels.catalog.records import FileState, subject_of_path
from apogee_labels.core.identity import digest_file
from apogee_labels.pipeline.ingest import registration
from apogee_labels.pipeline.ingest import scan as subject
from apogee_labels.pipeline.ingest.registration import file_stat, register_file, register_unreadable
from apogee_labels.pipeline.ingest.scan import Scan, scan_archive
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey

TELESCOPE = "apo25m"


@pytest.fixture
def paths(survey: SyntheticSurvey) -> list[Path]:
    return [survey.path(star) for star in survey.stars if star.telescope == TELESCOPE]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose headers were read."""
    opened, read = list[str](), registration.read_header

    def count(path: Any, *arguments: Any) -> Any:
        opened.append(str(path))
        return read(path, *arguments)

    monkeypatch.setattr(registration, "read_header", count)
    return opened


def counts(scan: Scan) -> tuple[int, int, int]:
    return scan.n_seen, scan.n_changed, scan.n_gone


def test_every_file_is_new_once(workspace: Workspace, paths: list[Path], opened: list[str]) -> None:
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), len(paths), 0)
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), 0, 0)
    assert sorted(opened) == sorted(map(str, paths))
    assert set(workspace.catalog.archive.indexed()) == set(opened), "the other telescope's files are not its business"


def test_what_is_on_record_is_what_the_files_say(
    workspace: Workspace, survey: SyntheticSurvey, paths: list[Path]
) -> None:
    scan_archive(workspace, TELESCOPE)
    for star in survey.stars:
        if star.telescope != TELESCOPE:
            continue
        path, visits = survey.path(star), survey.visits(star, survey.nights[-1])
        entry = workspace.catalog.archive.indexed()[str(path)]
        assert (entry.obj, entry.digest, entry.size) == (star.obj, digest_file(path), path.stat().st_size)
        spectrum = workspace.catalog.spectra.get(digest_file(path))
        assert spectrum is not None
        assert (spectrum.obj, spectrum.telescope, spectrum.field) == (star.obj, TELESCOPE, star.field)
        assert (spectrum.release, spectrum.apred) == ("dr17", "dr17")
        assert tuple(visit.mjd for visit in spectrum.visits) == visits
        assert all(visit.snr > 0 for visit in spectrum.visits)


def test_a_rewritten_file_is_read_again_and_the_others_are_not(
    workspace: Workspace, survey: SyntheticSurvey, paths: list[Path], opened: list[str]
) -> None:
    scan_archive(workspace, TELESCOPE)
    opened.clear()
    shutil.copyfile(paths[1], paths[0])
    os.utime(paths[0], (1, 1))
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), 1, 0)
    assert opened == [str(paths[0])]
    assert workspace.catalog.archive.indexed()[str(paths[0])].digest == digest_file(paths[1])


def test_a_file_that_is_gone_is_marked_and_comes_back(workspace: Workspace, paths: list[Path]) -> None:
    scan_archive(workspace, TELESCOPE)
    hidden = paths[0].rename(paths[0].with_suffix(".hidden"))
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths) - 1, 0, 1)
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths) - 1, 0, 0)
    assert workspace.catalog.archive.indexed()[str(paths[0])].state is FileState.GONE
    hidden.rename(paths[0])
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), 1, 0)
    assert workspace.catalog.archive.indexed()[str(paths[0])].state is FileState.PRESENT


def test_an_archive_that_is_not_mounted_has_lost_nothing(workspace: Workspace, survey: SyntheticSurvey) -> None:
    scan_archive(workspace, TELESCOPE)
    survey.root.rename(survey.root.with_name("away"))
    assert counts(scan_archive(workspace, TELESCOPE)) == (0, 0, 0)
    assert {entry.state for entry in workspace.catalog.archive.indexed().values()} == {FileState.PRESENT}


@pytest.mark.parametrize("kind", [Damage.EMPTY, Damage.NO_VISITS])
def test_a_header_that_cannot_be_read_leaves_the_night_unknown(
    workspace: Workspace, paths: list[Path], opened: list[str], kind: Damage
) -> None:
    damage(paths[0], kind)
    for _ in range(2):
        scan_archive(workspace, TELESCOPE)
    (entry,) = workspace.catalog.archive.files_of_no_night(TELESCOPE)
    assert (entry.path, entry.digest) == (str(paths[0]), digest_file(paths[0]))
    assert entry.obj in paths[0].name
    assert opened.count(str(paths[0])) == 1, "it is not read again until it changes"


def test_a_folder_with_the_name_of_a_spectrum_has_no_content(workspace: Workspace, paths: list[Path]) -> None:
    paths[0].unlink()
    paths[0].mkdir()
    scan_archive(workspace, TELESCOPE)
    (entry,) = workspace.catalog.archive.files_of_no_night(TELESCOPE)
    assert (entry.path, entry.digest) == (str(paths[0]), None)


def test_a_file_that_vanishes_meanwhile_is_passed_over(
    workspace: Workspace, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(path: str) -> str:
        Path(path).unlink(missing_ok=True)
        raise FileNotFoundError(path)

    monkeypatch.setattr(registration, "digest_file", vanish)
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), 0, 0)
    assert workspace.catalog.archive.indexed() == {}


def test_trouble_that_may_pass_ends_the_scan_and_records_nothing_wrong(
    workspace: Workspace, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> str:
        raise OSError(f"{path}: the disk is busy")

    monkeypatch.setattr(registration, "digest_file", fail)
    with pytest.raises(OSError, match="busy"):
        scan_archive(workspace, TELESCOPE)
    monkeypatch.undo()
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), len(paths), 0), "and it is not reused"


def test_a_file_that_we_may_not_read_keeps_no_other_from_the_index(
    workspace: Workspace, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found once its permissions are mended; until then no run could reject it, for its night is not known."""

    def refuse(path: str) -> str:
        if path == str(paths[0]):
            raise PermissionError(13, "Permission denied", path)
        return digest_file(path)

    monkeypatch.setattr(registration, "digest_file", refuse)
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), len(paths) - 1, 0)
    assert str(paths[0]) not in workspace.catalog.archive.indexed()
    monkeypatch.undo()
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), 1, 0)


def test_scans_that_were_asked_for_together_are_one(
    workspace: Workspace, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, scans = list[float](), list[Scan]()

    def note() -> float:
        asked.append(time.time())
        return asked[-1]

    monkeypatch.setattr(
        subject, "time", SimpleNamespace(time=note, perf_counter=time.perf_counter, monotonic=time.monotonic)
    )
    threads = [threading.Thread(target=lambda: scans.append(scan_archive(workspace, TELESCOPE))) for _ in range(2)]
    with workspace.lock(f"scan-{TELESCOPE}"):
        for thread in threads:
            thread.start()
        while len(asked) < 2:
            time.sleep(0.001)
    for thread in threads:
        thread.join(20)
    assert sorted(scan.reused for scan in scans) == [False, True]
    assert max(scan.n_seen for scan in scans) == len(paths)


def test_a_scan_that_began_before_is_not_reused(workspace: Workspace, paths: list[Path]) -> None:
    """A file may have come after it had passed that folder."""
    assert [scan_archive(workspace, TELESCOPE).reused for _ in range(2)] == [False, False]


@pytest.mark.parametrize("note", ["9999999999.0", "", "17"])
def test_a_note_that_cannot_be_true_is_not_believed(workspace: Workspace, paths: list[Path], note: str) -> None:
    """A clock that was ahead would otherwise stop every scan until that moment comes."""
    with workspace.lock(f"scan-{TELESCOPE}") as path:
        path.write_text(note)
    scan = scan_archive(workspace, TELESCOPE)
    assert (scan.reused, scan.n_seen) == (False, len(paths))


def test_a_file_that_was_read_is_on_record_as_by_a_scan(workspace: Workspace, paths: list[Path]) -> None:
    register_file(workspace, paths[0], read_apstar(paths[0]), file_stat(paths[0]))
    registered = workspace.catalog.archive.indexed()[str(paths[0])]
    spectrum = workspace.catalog.spectra.get(digest_file(paths[0]))
    assert counts(scan_archive(workspace, TELESCOPE)) == (len(paths), len(paths) - 1, 0)
    assert workspace.catalog.archive.indexed()[str(paths[0])] == registered
    assert spectrum is not None
    assert spectrum.telescope == TELESCOPE


def test_a_file_outside_the_archive_is_registered_all_the_same(
    workspace: Workspace, paths: list[Path], tmp_path: Path
) -> None:
    outside = tmp_path / "mine.fits"
    shutil.copyfile(paths[0], outside)
    register_file(workspace, outside, read_apstar(outside), file_stat(outside))
    damage(outside, Damage.EMPTY)
    register_unreadable(workspace, outside, digest_file(outside))
    assert workspace.catalog.archive.indexed([str(outside)])[str(outside)].digest == digest_file(outside)


def test_a_missing_file_is_known_by_its_path(workspace: Workspace, paths: list[Path]) -> None:
    scan_archive(workspace, TELESCOPE)
    paths[0].unlink()
    register_unreadable(workspace, paths[0], subject_of_path(str(paths[0])))
    assert workspace.catalog.archive.indexed()[str(paths[0])].state is FileState.GONE


def test_what_is_written_while_a_file_is_read_looks_changed_to_the_next_scan(
    workspace: Workspace, paths: list[Path]
) -> None:
    stat, star = file_stat(paths[0]), read_apstar(paths[0])
    shutil.copyfile(paths[1], paths[0])  # rewritten in between
    register_file(workspace, paths[0], star, stat)
    scan_archive(workspace, TELESCOPE)
    assert workspace.catalog.archive.indexed()[str(paths[0])].digest == digest_file(paths[1])


def test_a_scan_that_breaks_off_has_not_read_in_vain(
    workspace: Workspace, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "FLUSH_EVERY", 1)

    def fail_at_last(path: str) -> str:
        if path == str(paths[-1]):
            raise OSError(5, "Input/output error", path)
        return digest_file(path)

    monkeypatch.setattr(registration, "digest_file", fail_at_last)
    with pytest.raises(OSError, match="Input/output"):
        scan_archive(workspace, TELESCOPE)
    assert 0 < len(workspace.catalog.archive.indexed()) < len(paths)


def test_the_path_comes_before_the_header(workspace: Workspace, paths: list[Path]) -> None:
    star = replace(read_apstar(paths[0]), telescope="SDSS 2.5-m", field="4245")
    register_file(workspace, paths[0], star, file_stat(paths[0]))
    spectrum = workspace.catalog.spectra.get(star.digest)
    assert spectrum is not None
    assert (spectrum.telescope, spectrum.field) == (TELESCOPE, paths[0].parent.name)
