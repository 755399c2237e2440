"""The growing archive of `make bench-scan` is one that a scan knows, and its table says what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apogee_labels.apogee.archive.archive import Archive
from apogee_labels.catalog.db.database import Database
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.workspace import Workspace
from benchmarks import postgres, scan, scan_tree
from benchmarks.workbench import NotMeasuredError

N_FILES = scan_tree.FILES_A_FOLDER + 20


@pytest.fixture
def no_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer."""
    monkeypatch.setenv(postgres.SERVER, "postgresql+psycopg2://nobody@127.0.0.1:1/none")


def test_files_are_found_by_a_walk_and_cost_no_disk(tmp_path: Path) -> None:
    scan_tree.grow(tmp_path, range(N_FILES))
    found = list(Archive(tmp_path, scan_tree.RELEASE, scan_tree.APRED).walk(scan_tree.TELESCOPE))
    assert [item.path for item in found] == [star.path for star in scan_tree.stars(tmp_path, range(N_FILES))]
    assert {(item.size, item.mtime_ns) for item in found} == {(scan_tree.SIZE, scan_tree.MTIME_NS)}
    assert len({Path(item.path).parent for item in found}) == 2
    assert Path(found[0].path).stat().st_blocks == 0


def test_scan_finds_the_archive_unchanged_also_after_it_has_grown(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    root, before = settings.sas_base_dir, 0
    with Workspace.open(settings) as workspace:
        for size in (10, N_FILES):
            scan_tree.grow(root, range(before, size))
            database = Database(settings.catalog_url)
            scan_tree.put_on_record(database, root, range(before, size))
            database.close()
            before = size
            seen = scan_archive(workspace, scan_tree.TELESCOPE)
            assert (seen.n_seen, seen.n_changed, seen.n_gone) == (size, 0, 0)
        files = workspace.catalog.archive.files_of_night(scan_tree.TELESCOPE, scan_tree.middle_night(N_FILES))
        assert 0 < len(files) <= scan_tree.STARS_A_NIGHT
        assert workspace.catalog.archive.files_of_no_night(scan_tree.TELESCOPE) == []


def test_a_larger_archive_has_more_nights_and_as_many_stars_in_each() -> None:
    mjds = [mjd for number in range(3000) for mjd in scan_tree.FakeStar(number, "").mjds]
    assert len(mjds) == 3000 * sum(scan_tree.VISITS) / len(scan_tree.VISITS)
    night = scan_tree.middle_night(3000)
    assert mjds.count(night) == pytest.approx(scan_tree.STARS_A_NIGHT, rel=0.02)


@pytest.mark.usefixtures("no_postgres")
def test_command_prints_the_table_and_writes_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scan, "TARGETS", {30: 1e-9})
    found = tmp_path / "found.json"
    scan.main(["--files", "10", "30", "--new", "2", "--repeats", "1", "--folder", str(tmp_path), "--json", str(found)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:4]] == ["10", "30"]
    assert "missed" in lines[3]
    assert any(line.startswith("First scan of 2 files") for line in lines)
    assert any(line.startswith("SQLite: 3 times the files") for line in lines)
    assert any("PostgreSQL: not measured: no PostgreSQL answers at 127.0.0.1:1" in line for line in lines)
    assert "load average" in lines[-1]
    assert json.loads(found.read_text())["unchanged"][1]["found"]["files"] == 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.json"], "the archive is gone"


@pytest.mark.usefixtures("no_postgres")
def test_without_a_server_it_says_so() -> None:
    with pytest.raises(NotMeasuredError, match="TEST_POSTGRES_URL"), postgres.postgres_database():
        pass
