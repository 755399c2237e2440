"""What is on disk is told by kind; what is deleted is what the policy says, and comes back when it is asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from apogee_labels.cannon.continuum import normalization as continuum
from apogee_labels.catalog.queries.models import ReferenceStar
from apogee_labels.catalog.records import utc_now
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_files
from apogee_labels.pipeline.analysis.rebuild import read_or_rebuild
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.products import retention
from apogee_labels.pipeline.products.retention import DAY, Kind, RetentionPolicy, RetentionReport, retain
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support.command import output_of

ALL = RetentionPolicy(superseded_days=30, rebuildable_days=60, leftover_days=1)


@dataclass
class Disk:
    """A product of each kind, all of them written long ago."""

    workspace: Workspace
    products: dict[Kind, Path]

    def age(self, kind: Kind, days: float) -> None:
        then = time.time() - days * DAY
        os.utime(self.products[kind], (then, then))

    def left(self) -> set[Kind]:
        return {kind for kind, path in self.products.items() if path.exists()}


@pytest.fixture
def disk(workspace: Workspace, survey: SyntheticSurvey, normalization: NormalizationParameters) -> Disk:
    paths = [survey.path(star) for star in survey.stars[:5]]
    made = [outcome.unwrap() for outcome in normalize_files(workspace, paths[:3], normalization)]
    current, gone, rewritten = (workspace.normalized_path(each.normalization_id) for each in made)
    paths[1].unlink()
    paths[2].write_bytes(paths[4].read_bytes())
    for telescope in ("apo25m", "lco25m"):
        scan_archive(workspace, telescope)
    orphan = workspace.normalized_path("0" * 64)
    orphan.parent.mkdir(exist_ok=True)
    part = current.with_name(f".{current.name}.abc.part")
    for path in (orphan, part):
        path.write_bytes(b"12345")
    products = {
        Kind.REBUILDABLE: current, Kind.LAST: gone, Kind.SUPERSEDED: rewritten, Kind.ORPHAN: orphan, Kind.PART: part,
    }  # fmt: skip
    disk = Disk(workspace, products)
    for kind in Kind:
        disk.age(kind, 1000)
    return disk


def deleted(report: RetentionReport) -> set[Kind]:
    return {kind for kind, tally in report.deleted.items() if tally.files}


def test_every_kind_is_told_and_nothing_is_deleted_unless_asked(disk: Disk) -> None:
    report = retain(disk.workspace, ALL)
    assert {kind: tally.files for kind, tally in report.found.items()} == dict.fromkeys(Kind, 1)
    assert deleted(report) == set(Kind) - {Kind.LAST}
    assert disk.left() == set(Kind)
    sizes = {kind: path.stat().st_size for kind, path in disk.products.items()}
    assert {kind: tally.bytes for kind, tally in report.found.items()} == sizes
    assert report.as_json()["bytes_after"] == sizes[Kind.LAST]
    assert report.lines()[3].startswith("* orphan: 1 file(s), 5 B; 1 of them, 5 B, would be deleted")


def test_what_is_deleted_is_what_was_told(disk: Disk) -> None:
    told = retain(disk.workspace, ALL)
    done = retain(disk.workspace, ALL, delete=True)
    assert (done.found, done.deleted) == (told.found, told.deleted)
    assert disk.left() == {Kind.LAST}
    assert deleted(retain(disk.workspace, ALL, delete=True)) == set()


def test_by_default_only_what_nobody_needs_goes_and_only_when_it_is_old(disk: Disk) -> None:
    for kind, days in ((Kind.SUPERSEDED, 29), (Kind.ORPHAN, 0.9), (Kind.PART, 0.9)):
        disk.age(kind, days)
    assert deleted(retain(disk.workspace, RetentionPolicy(), delete=True)) == set()
    for kind, days in ((Kind.SUPERSEDED, 31), (Kind.ORPHAN, 1.1), (Kind.PART, 1.1)):
        disk.age(kind, days)
    retain(disk.workspace, RetentionPolicy(), delete=True)
    assert disk.left() == {Kind.REBUILDABLE, Kind.LAST}


def test_none_keeps_a_kind_for_ever(disk: Disk) -> None:
    keep = RetentionPolicy(superseded_days=None, rebuildable_days=None, leftover_days=None)
    assert deleted(retain(disk.workspace, keep, delete=True)) == set()


def test_a_product_that_was_deleted_comes_back_and_results_stay(
    disk: Disk, survey: SyntheticSurvey, normalization: NormalizationParameters, put_model: Callable[[Workspace], str]
) -> None:
    workspace, model = disk.workspace, put_model(disk.workspace)
    product = disk.products[Kind.REBUILDABLE]
    content = product.read_bytes()
    (result,) = infer_labels(workspace, [product.stem], model, InferenceParameters()).result_ids
    before = workspace.catalog.results.get(result)
    retain(workspace, ALL, delete=True)
    assert workspace.catalog.results.get(result) == before
    record = workspace.catalog.normalizations.get(product.stem)
    assert record is not None
    read_or_rebuild(workspace, record)
    assert product.read_bytes() == content


def test_a_file_that_changed_since_the_last_scan_is_not_trusted(disk: Disk, survey: SyntheticSurvey) -> None:
    """Its product may be the last of its content: until the next scan it stays."""
    os.utime(survey.path(survey.stars[0]))
    retain(disk.workspace, ALL, delete=True)
    assert Kind.REBUILDABLE in disk.left()


def test_an_archive_that_is_not_mounted_costs_no_product(disk: Disk) -> None:
    disk.workspace.settings.sas_base_dir.rename(disk.workspace.settings.data_dir / "elsewhere")
    retain(disk.workspace, RetentionPolicy(rebuildable_days=0), delete=True)
    assert disk.left() >= {Kind.REBUILDABLE, Kind.LAST}


def test_the_spectrum_of_a_reference_star_stays_though_its_file_was_rewritten(disk: Disk) -> None:
    chosen = ReferenceStar(
        name="giants", normalization_id=disk.products[Kind.SUPERSEDED].stem, obj="a star", chosen_at=utc_now()
    )
    disk.workspace.catalog.reference_stars.record([chosen])
    report = retain(disk.workspace, ALL, delete=True)
    assert (report.found[Kind.LAST].files, report.found[Kind.SUPERSEDED].files) == (2, 0)
    assert Kind.SUPERSEDED in disk.left()


def test_products_of_another_method_are_superseded(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuum, "METHOD_VERSION", "another")
    report = retain(disk.workspace, RetentionPolicy())
    assert (report.found[Kind.REBUILDABLE].files, report.found[Kind.SUPERSEDED].files) == (0, 2)


def test_a_product_that_is_written_anew_meanwhile_stays(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    product, delete = disk.products[Kind.SUPERSEDED], retention._delete

    def written_now(file: retention._File) -> bool:
        if file.path == product:
            os.utime(product)
        return delete(file)

    monkeypatch.setattr(retention, "_delete", written_now)
    assert Kind.SUPERSEDED not in deleted(retain(disk.workspace, ALL, delete=True))
    assert product.exists()


def test_what_is_not_ours_is_left_alone(disk: Disk, tmp_path: Path) -> None:
    folder, other = disk.products[Kind.ORPHAN].parent, tmp_path / "other.fits"
    other.write_bytes(b"x")
    (folder / "link.fits").symlink_to(other)
    (folder / "notes.txt").write_text("mine")
    (folder / "folder.fits").mkdir()
    os.utime(other, (0, 0))
    os.utime(folder / "notes.txt", (0, 0))
    before = set(folder.iterdir()) - {disk.products[Kind.ORPHAN]}
    retain(disk.workspace, ALL, delete=True)
    assert set(folder.iterdir()) == before
    assert other.exists()


def test_nothing_is_there_before_anything_was_made(workspace: Workspace) -> None:
    assert retain(workspace, ALL, delete=True).as_json()["bytes_before"] == 0


@pytest.mark.parametrize("days", [{"superseded_days": -1}, {"rebuildable_days": float("nan")}, {"leftover_days": 0.0}])
def test_a_policy_that_makes_no_sense_is_refused(days: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        RetentionPolicy(**days)


def test_the_command_tells_and_deletes(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOGEE_LABELS_DATA_DIR", str(disk.workspace.settings.data_dir))
    assert "would be deleted" in output_of("retention")
    assert disk.left() == set(Kind)
    assert "after" in output_of("retention", "--delete", "--rebuildable-days", "60")
    assert disk.left() == {Kind.LAST}
