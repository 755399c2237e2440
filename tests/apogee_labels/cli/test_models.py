"""The commands that take a model's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.cannon.continuum.normalization import read_regions
from apogee_labels.cannon.continuum.regions import find_continuum_regions
from apogee_labels.cannon.model import CannonModel
from apogee_labels.pipeline.workspace import Workspace
from tests.support.command import call, output_of


@pytest.fixture
def model(workspace: Workspace, put_model: Callable[[Workspace], str]) -> Path:
    """The file of a trained model."""
    return workspace.model_path(put_model(workspace))


def test_a_model_is_plotted(model: Path, tmp_path: Path) -> None:
    index = tmp_path / "plots" / "index.html"
    assert output_of("plots", model, index.parent).strip() == str(index)
    assert {path.name for path in index.parent.iterdir()} >= {"theta.html"}


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.fits").write_bytes(b"SIMPLE")
    result = call("plots", tmp_path / "model.fits", tmp_path / "plots")
    assert result.exit_code == 1
    assert "expected a whole model file" in result.stderr
    assert call("plots", tmp_path / "none.fits", tmp_path / "plots").exit_code == 1


def test_regions_are_what_the_function_finds(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    said = output_of("regions", model, "--out", out, "--note", "of a test", "--tolerance", "0.1")
    found = find_continuum_regions(CannonModel.read(model), tolerance=0.1)
    np.testing.assert_allclose(read_regions(out), found, atol=5.1e-5)
    text = out.read_text()
    assert f"# Made by: apogee-labels regions {model.name} --tolerance 0.1 --share 0.065" in text
    assert "# of a test" in text
    assert str(tmp_path) not in text
    assert "regions written" in said
