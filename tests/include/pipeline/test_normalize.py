"""One file: normalised once, rejected once, and every content on record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.errors import BadInputError, Reason
from include.identity import digest_file
from include.pipeline.identities import NormalizationParameters
from include.pipeline.normalize import normalize_file
from include.pipeline.workspace import Workspace
from include.simulation.damage import Damage, damage
from include.simulation.survey import SyntheticSurvey

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
    (rejection,) = workspace.catalog.rejections([content], "1").values()
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
    assert workspace.catalog.rejections([digest_file(path)], "1") == {}
    blocked.unlink()
    assert not normalize_file(workspace, path, normalization).already_complete
