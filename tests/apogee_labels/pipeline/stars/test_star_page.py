"""The page of a star, from the catalogue to the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.stars.star_page import write_star_page
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support.command import call, output_of


@pytest.fixture
def obj(
    workspace: Workspace,
    survey: SyntheticSurvey,
    normalization: NormalizationParameters,
    put_model: Callable[[Workspace], str],
) -> str:
    """A star that was analysed as a stack and visit by visit."""
    model = put_model(workspace)
    workspace.catalog.models.put_in_force("giants", model, "test")
    star = next(star for star in survey.stars if len(survey.visits(star, survey.nights[-1])) == 2)
    for axis in (0, None):
        item = normalize_file(workspace, survey.path(star), normalization.replace(sum_axis=axis))
        infer_labels(workspace, [item.normalization_id], model, InferenceParameters())
    return star.obj


def test_the_command_writes_the_page_of_a_star(
    workspace: Workspace, obj: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APOGEE_LABELS_DATA_DIR", str(workspace.settings.data_dir))
    path = Path(output_of("stars", "page", obj, tmp_path / "pages").strip())
    assert path == tmp_path / "pages" / f"{obj}.html"
    assert path.read_text().count("stack of the visits") > 0
    assert (path.parent / "plotly.min.js").exists()
    before = path.read_bytes()
    assert write_star_page(workspace, obj, path.parent).read_bytes() == before
    result = call("stars", "page", "nobody", tmp_path / "pages")
    assert result.exit_code == 1
    assert "no current labels of single visits of nobody" in result.stderr


def test_a_name_stays_in_the_folder(
    workspace: Workspace, obj: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = workspace.catalog.label_tables.history(obj)
    monkeypatch.setattr(type(workspace.catalog.label_tables), "history", lambda *_: history)
    path = write_star_page(workspace, "../<b>2M", tmp_path / "pages")
    assert path.parent == tmp_path / "pages"
    assert path.name == "____b_2M.html"
    assert "<b>2M" not in path.read_text().partition("<body>")[0]
