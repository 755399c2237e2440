"""The command that plots a model's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.plots.__main__ import main


def test_it_plots_a_validated_model(model: CannonModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.write(tmp_path / "model.fits")
    assert main([str(tmp_path / "model.fits"), str(tmp_path / "plots")]) == 0
    index = tmp_path / "plots" / "index.html"
    assert capsys.readouterr().out.strip() == str(index)
    assert {path.name for path in index.parent.iterdir()} >= {"theta.html", "one-to-one.html", "error-snr.html"}


def test_it_says_what_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.fits").write_bytes(b"SIMPLE")
    assert main([str(tmp_path / "model.fits"), str(tmp_path / "plots")]) == 1
    assert "expected a whole model file" in capsys.readouterr().err
    assert main([str(tmp_path / "none.fits"), str(tmp_path / "plots")]) == 1
