"""One file: normalised once, rejected once, and every content on record."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from apogee_labels.cannon.continuum import normalization as continuum
from apogee_labels.catalog import CatalogError
from apogee_labels.catalog.queries.normalizations import Normalizations
from apogee_labels.catalog.records import NormalizedFile, WorkKind
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_file
from apogee_labels.pipeline.analysis import normalize as step
from apogee_labels.pipeline.analysis.normalize import normalize_file, normalize_files
from apogee_labels.pipeline.identities import NormalizationParameters, normalization_id
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey

REASONS = {
    Damage.EMPTY: Reason.EMPTY,
    Damage.TRUNCATED: Reason.UNREADABLE,
    Damage.WRONG_HDUS: Reason.WRONG_LAYOUT,
    Damage.WRONG_GRID: Reason.WRONG_GRID,
    Damage.ALL_MASKED: Reason.NO_INFORMATION,
    Damage.NO_VISITS: Reason.NO_VISITS,
    Damage.NAN_EVERYWHERE: Reason.NO_INFORMATION,
}


@pytest.fixture
def path(survey: SyntheticSurvey) -> Path:
    return survey.path(survey.stars[0])


def test_a_file_is_normalised_once(workspace: Workspace, normalization: NormalizationParameters, path: Path) -> None:
    first = normalize_file(workspace, path, normalization)
    product = workspace.normalized_path(first.normalization_id)
    written = product.stat().st_mtime_ns
    again = normalize_file(workspace, path, normalization)
    assert (first.already_complete, again.already_complete) == (False, True)
    assert again.normalization_id == first.normalization_id
    assert product.stat().st_mtime_ns == written


def test_neither_its_name_nor_its_time_make_another_product(
    workspace: Workspace, normalization: NormalizationParameters, path: Path
) -> None:
    first = normalize_file(workspace, path, normalization)
    os.utime(path, (0, 0))
    moved = path.with_name("apStar-dr17-2M00000000+0000000.fits")
    moved.write_bytes(path.read_bytes())
    assert normalize_file(workspace, path, normalization).already_complete
    assert normalize_file(workspace, moved, normalization).normalization_id == first.normalization_id


def test_other_parameters_make_another_product(
    workspace: Workspace, normalization: NormalizationParameters, path: Path
) -> None:
    visits = NormalizationParameters(regions=normalization.regions, sum_axis=None)
    products = {normalize_file(workspace, path, each).normalization_id for each in (normalization, visits)}
    assert len(products) == 2


def test_a_product_that_was_deleted_is_made_again(
    workspace: Workspace, normalization: NormalizationParameters, path: Path
) -> None:
    first = normalize_file(workspace, path, normalization)
    product = workspace.normalized_path(first.normalization_id)
    content = product.read_bytes()
    product.unlink()
    assert not normalize_file(workspace, path, normalization).already_complete
    assert product.read_bytes() == content


@pytest.mark.parametrize("kind", Damage)
def test_bad_input_is_rejected_with_its_reason(
    workspace: Workspace, normalization: NormalizationParameters, path: Path, kind: Damage
) -> None:
    damage(path, kind)
    for _ in range(2):
        with pytest.raises(BadInputError) as caught:
            normalize_file(workspace, path, normalization)
        assert caught.value.reason is REASONS[kind]
    content = digest_file(path)
    (rejection,) = workspace.catalog.rejections.find([content], "1").values()
    assert (rejection.reason, rejection.path) == (REASONS[kind], str(path))


def test_a_directory_and_a_vanished_file_are_rejected(
    workspace: Workspace, normalization: NormalizationParameters, path: Path
) -> None:
    path.unlink()
    with pytest.raises(BadInputError) as gone:
        normalize_file(workspace, path, normalization)
    path.mkdir()
    with pytest.raises(BadInputError) as folder:
        normalize_file(workspace, path, normalization)
    assert (gone.value.reason, folder.value.reason) == (Reason.MISSING, Reason.NOT_A_FILE)


def test_a_mended_file_is_taken(workspace: Workspace, normalization: NormalizationParameters, path: Path) -> None:
    """A rejection is about a content: the same path with another one is another matter."""
    good = path.read_bytes()
    damage(path, Damage.TRUNCATED)
    with pytest.raises(BadInputError):
        normalize_file(workspace, path, normalization)
    path.write_bytes(good)
    assert normalize_file(workspace, path, normalization).obj in path.name


def test_regions_without_a_good_pixel_reject_only_this_normalisation(
    workspace: Workspace, normalization: NormalizationParameters, path: Path, tmp_path: Path
) -> None:
    narrow = tmp_path / "narrow.txt"
    narrow.write_text("15200.00 15200.60\n")
    with pytest.raises(BadInputError) as caught:
        normalize_file(workspace, path, NormalizationParameters(regions=narrow))
    assert caught.value.reason is Reason.NO_CONTINUUM
    assert not normalize_file(workspace, path, normalization).already_complete


def test_trouble_that_may_pass_is_not_recorded_as_a_rejection(
    workspace: Workspace, normalization: NormalizationParameters, path: Path
) -> None:
    blocked = workspace.settings.data_dir / "normalized"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"normalized|exists|directory"):
        normalize_file(workspace, path, normalization)
    assert workspace.catalog.rejections.find([digest_file(path)], "1") == {}
    blocked.unlink()
    assert not normalize_file(workspace, path, normalization).already_complete


def test_again_replaces_the_product_and_records_it_once(
    workspace: Workspace, normalization: NormalizationParameters, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = normalize_file(workspace, path, normalization)
    product = workspace.normalized_path(first.normalization_id)
    inode, content = product.stat().st_ino, product.read_bytes()
    assert normalize_file(workspace, path, normalization, again=True) == first
    assert (product.stat().st_ino != inode, product.read_bytes() == content) == (True, True)
    assert workspace.catalog.duplicates.counts()[WorkKind.NORMALIZATION] == 1
    assert "made again" not in caplog.text
    product.write_bytes(b"damaged")
    normalize_file(workspace, path, normalization, again=True)
    assert product.read_bytes() == content


def test_a_method_that_changed_under_its_version_is_warned_of(
    workspace: Workspace, normalization: NormalizationParameters, path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    normalize_file(workspace, path, normalization)
    monkeypatch.setattr(continuum, "RIDGE", 1e-2)
    identity = normalize_file(workspace, path, normalization, again=True).normalization_id
    assert "made again" not in caplog.text, "the ridge is part of the identity"
    assert workspace.catalog.duplicates.counts()[WorkKind.NORMALIZATION] == 0
    monkeypatch.setattr(continuum, "_coefficients", _shifted(continuum._coefficients))
    assert normalize_file(workspace, path, normalization, again=True).normalization_id == identity
    assert "the method changed and its version did not" in caplog.text


def _shifted(coefficients: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: coefficients(*arguments) * 1.01


def test_the_same_content_under_two_names_is_done_once(
    workspace: Workspace, normalization: NormalizationParameters, path: Path
) -> None:
    copy = path.with_name("apStar-dr17-2M00000000+0000000.fits")
    copy.write_bytes(path.read_bytes())
    outcomes = normalize_files(workspace, [path, copy, path], normalization)
    assert [outcome.unwrap().already_complete for outcome in outcomes] == [False, True, True]
    assert workspace.catalog.duplicates.counts()[WorkKind.NORMALIZATION] == 0


def test_each_file_of_a_batch_is_recorded_rejected_or_retried_on_its_own(
    workspace: Workspace, survey: SyntheticSurvey, normalization: NormalizationParameters
) -> None:
    paths = [survey.path(star) for star in survey.stars[:6]]
    damage(paths[1], Damage.TRUNCATED)
    blocked = workspace.normalized_path(normalization_id(digest_file(paths[3]), normalization.as_json()))
    blocked.mkdir(parents=True)
    (blocked / "file").touch()
    outcomes = normalize_files(workspace, paths, normalization)
    assert isinstance(outcomes[1].fault, BadInputError)
    assert isinstance(outcomes[3].fault, OSError)
    assert [outcome.fault is None for outcome in outcomes] == [True, False, True, False, True, True]
    assert workspace.catalog.rejections.find(map(digest_file, paths), "1").keys() == {digest_file(paths[1])}
    (blocked / "file").unlink()
    blocked.rmdir()
    again = normalize_files(workspace, paths, normalization)
    assert [outcome.value and outcome.value.already_complete for outcome in again] == [
        True,
        None,
        True,
        False,
        True,
        True,
    ]


def test_a_file_that_the_catalogue_refuses_does_not_keep_the_others_out(
    workspace: Workspace, survey: SyntheticSurvey, normalization: NormalizationParameters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    paths = [str(survey.path(star)) for star in survey.stars[:4]]
    record = workspace.catalog.normalizations.record_files

    def refuse(self: Normalizations, files: Sequence[NormalizedFile]) -> None:
        if any(each.file and each.file.path == paths[2] for each in files):
            raise CatalogError("not this one")
        record(files)

    monkeypatch.setattr(Normalizations, "record_files", refuse)
    outcomes = normalize_files(workspace, paths, normalization)
    assert [outcome.fault is None for outcome in outcomes] == [True, True, False, True]
    monkeypatch.undo()
    assert [outcome.unwrap().already_complete for outcome in normalize_files(workspace, paths, normalization)] == [
        True, True, False, True,
    ]  # fmt: skip


def test_a_crash_loses_no_more_than_what_was_not_recorded(
    workspace: Workspace, survey: SyntheticSurvey, normalization: NormalizationParameters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    paths, read = [survey.path(star) for star in survey.stars[:6]], step.read_content
    monkeypatch.setattr(step, "RECORDED_TOGETHER", 2)

    def killed(path: Path) -> bytes:
        if path == paths[5]:
            raise SystemExit
        return read(path)

    monkeypatch.setattr(step, "read_content", killed)
    with pytest.raises(SystemExit):
        normalize_files(workspace, paths, normalization)
    monkeypatch.undo()
    again = normalize_files(workspace, paths, normalization)
    assert [outcome.unwrap().already_complete for outcome in again] == [True] * 4 + [False] * 2
    assert workspace.catalog.duplicates.counts()[WorkKind.NORMALIZATION] == 0, "what was not recorded was not done"


@pytest.mark.parametrize("change", ["touched", "rewritten", "another star's"])
def test_a_file_that_changed_since_its_scan_is_on_record_as_it_is_now(
    workspace: Workspace, survey: SyntheticSurvey, normalization: NormalizationParameters, path: Path, change: str
) -> None:
    for telescope in ("apo25m", "lco25m"):
        scan_archive(workspace, telescope)
    content = survey.path(survey.stars[1]).read_bytes() if change == "another star's" else path.read_bytes()
    if change == "rewritten":
        content += bytes(2880)  # after its last unit the standard allows more
    path.write_bytes(content)
    os.utime(path, (1, 1))
    product = normalize_file(workspace, path, normalization).normalization_id
    entry = workspace.catalog.archive.indexed()[str(path)]
    assert (entry.size, entry.mtime_ns, entry.digest) == (len(content), 10**9, digest_file(path))
    record = workspace.catalog.normalizations.get(product)
    assert record is not None
    assert workspace.catalog.spectra.get(record.digest) is not None


@pytest.mark.parametrize("kind", [Damage.EMPTY, Damage.TRUNCATED])
def test_half_a_file_that_is_written_while_it_is_read_is_tried_again_and_not_rejected(
    workspace: Workspace,
    normalization: NormalizationParameters,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Damage,
) -> None:
    whole, read = path.read_bytes(), step.read_content
    damage(path, kind)

    def read_while_written(read_path: Path) -> bytes:
        try:
            return read(read_path)
        finally:
            path.write_bytes(whole)

    monkeypatch.setattr(step, "read_content", read_while_written)
    with pytest.raises(OSError, match="written while it was read"):
        normalize_file(workspace, path, normalization)
    monkeypatch.undo()
    assert not normalize_file(workspace, path, normalization).already_complete
