"""A product that is gone comes back as it was, as long as the archive holds its content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apogee_labels.cannon.continuum import normalization as continuum
from apogee_labels.catalog.records import NormalizationRecord, subject_of_path
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.analysis.rebuild import CannotRebuildError, read_or_rebuild
from apogee_labels.pipeline.identities import NormalizationParameters
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey


@pytest.fixture
def path(survey: SyntheticSurvey) -> Path:
    return survey.path(survey.stars[0])


@pytest.fixture
def record(workspace: Workspace, path: Path) -> NormalizationRecord:
    """A normalisation with parameters of its own, a row a visit."""
    regions = workspace.settings.data_dir / "mine.txt"
    regions.write_text(workspace.settings.continuum_regions.read_text().replace("#", "# mine", 1))
    parameters = NormalizationParameters(regions=regions, length=1200.0, order=2, sum_axis=None)
    record = workspace.catalog.normalizations.get(normalize_file(workspace, path, parameters).normalization_id)
    assert record is not None
    return record


def delete(product: Path) -> None:
    product.unlink()


def cut(product: Path) -> None:
    product.write_bytes(product.read_bytes()[:30_000])


@pytest.mark.parametrize("harm", [delete, cut])
def test_a_product_is_made_again_byte_for_byte(
    workspace: Workspace, record: NormalizationRecord, harm: Callable[[Path], None]
) -> None:
    product = workspace.normalized_path(record.id)
    content = product.read_bytes()
    harm(product)
    spectrum = read_or_rebuild(workspace, record)
    assert (spectrum.content, len(spectrum.flux)) == (record.digest, record.n_rows)
    assert product.read_bytes() == content


def test_it_is_made_of_any_path_that_holds_the_content(
    workspace: Workspace,
    survey: SyntheticSurvey,
    record: NormalizationRecord,
    path: Path,
    normalization: NormalizationParameters,
) -> None:
    """The first path was rewritten; a copy that was read elsewhere has what is needed."""
    copy = path.with_name("apStar-dr17-2M00000000+0000000.fits")
    path.rename(copy)
    normalize_file(workspace, copy, normalization)
    path.write_bytes(survey.path(survey.stars[1]).read_bytes())
    product = workspace.normalized_path(record.id)
    content = product.read_bytes()
    product.unlink()
    read_or_rebuild(workspace, record)
    assert product.read_bytes() == content


def test_a_content_that_is_gone_is_bad_input_until_it_is_back(
    workspace: Workspace, record: NormalizationRecord, path: Path
) -> None:
    workspace.normalized_path(record.id).unlink()
    kept = path.read_bytes()
    path.write_bytes(kept[:-1])
    with pytest.raises(BadInputError, match="neither there nor elsewhere") as caught:
        read_or_rebuild(workspace, record)
    assert caught.value.reason is Reason.MISSING
    subject = subject_of_path(str(path))
    assert workspace.catalog.rejections.find([subject, record.digest, record.id], "1").keys() == {subject}
    path.write_bytes(kept)
    assert read_or_rebuild(workspace, record).content == record.digest


def test_the_regions_are_kept_with_the_products(workspace: Workspace, record: NormalizationRecord) -> None:
    """Nobody can make the product again from numbers of which only a digest is known."""
    workspace.normalized_path(record.id).unlink()
    (workspace.settings.data_dir / "mine.txt").unlink()
    read_or_rebuild(workspace, record)


def test_without_its_regions_it_cannot_be_made(
    workspace: Workspace, record: NormalizationRecord, path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("15200.0 15260.0\n15900.0 15960.0\n16500.0 16560.0\n")
    parameters = NormalizationParameters(regions=other)
    made = workspace.catalog.normalizations.get(normalize_file(workspace, path, parameters).normalization_id)
    assert made is not None
    workspace.normalized_path(made.id).unlink()
    for kept in (workspace.settings.data_dir / "regions").iterdir():
        kept.write_text("edited")
    with pytest.raises(CannotRebuildError, match="continuum regions"):
        read_or_rebuild(workspace, made)


def test_another_method_does_not_make_it_under_the_old_name(
    workspace: Workspace, record: NormalizationRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = workspace.normalized_path(record.id)
    product.unlink()
    monkeypatch.setattr(continuum, "METHOD_VERSION", "another")
    with pytest.raises(CannotRebuildError, match="made by method"):
        read_or_rebuild(workspace, record)
    assert not product.exists()
