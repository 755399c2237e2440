"""The benchmark runs, on a small sample, and its data are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.apogee.spectra.grid import N_PIXELS
from apogee_labels.simulation.survey import SyntheticSurvey
from benchmarks import data, engine, isolated, reading
from benchmarks.data import synthetic
from benchmarks.engine_calls import infer, train
from benchmarks.quantities import Quantity
from benchmarks.workbench import NotMeasuredError, Workbench
from benchmarks.works import WORKS

SMALL = {"n_stars": 120, "n_spectra": 30, "n_pixels": 300}


@pytest.fixture
def bench() -> Workbench:
    return Workbench(repeats=1, **SMALL)


@pytest.mark.parametrize("key", ["train-3", "train-3-likelihood", "train-3-l1", "infer-3-1", "infer-3-10", "infer-one"])
def test_row_is_measured(bench: Workbench, key: str) -> None:
    (work,) = [work for work in WORKS if work.key == key]
    row = engine.measure(work, bench)
    assert row.value is not None
    assert row.value > 0.0


def test_corrections_are_on_or_off(bench: Workbench) -> None:
    sample, model = bench.sample(3), bench.model(3)
    off, on = (infer(model, sample.flux, sample.ivar, corrected=corrected) for corrected in (False, True))
    assert np.abs(off.labels - on.labels).max() > 0.0


def test_sample_is_the_same_every_time_and_can_be_learnt() -> None:
    first, again = synthetic(3, **SMALL), synthetic(3, **SMALL)
    assert first.training_set.digest == again.training_set.digest
    assert np.array_equal(first.flux, again.flux)
    model = train(first.training_set)
    found = infer(model, first.flux, first.ivar)
    assert found.converged.all()
    assert np.median(found.reduced_chi_sq) == pytest.approx(1.0, abs=0.3)


def test_seventeen_labels_have_seventeen_names() -> None:
    sample = synthetic(17, n_stars=200, n_spectra=2, n_pixels=20)
    assert sample.n_labels == len(set(sample.training_set.label_names)) == 17
    assert sample.training_set.flux.shape == (200, 20)


def test_own_training_set_gives_its_first_labels(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    synthetic(3, **SMALL).training_set.write(path)
    bench = Workbench(repeats=1, training_set=path)
    assert bench.sample(3).training_set.flux.shape == (120, 300)
    assert "mine.npz" in bench.descriptions()[0]
    with pytest.raises(NotMeasuredError, match="fewer than 17 labels"):
        bench.sample(17)


def test_command_prints_the_table_and_writes_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "Workbench", lambda *arguments: Workbench(*arguments, **SMALL))
    engine.main(["--only", "train-3", "--repeats", "1", "--json", str(tmp_path / "found.json")])
    printed = capsys.readouterr()
    assert printed.out.startswith("| work")
    assert "load average" in printed.out
    assert "restricted likelihood" in printed.err, "progress is told beside the table"
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found["rows"]) == ["train-3"]
    assert found["rows"]["train-3"]["unit"] == Quantity.SECONDS.value


def test_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        engine.main(["--only", "tea"])
    assert "infer-17" in capsys.readouterr().err


def test_reading_is_taken_apart(tmp_path: Path) -> None:
    SyntheticSurvey(tmp_path, n_stars=3, nights=1).observe_all()
    times = reading.times(tmp_path, 1)
    assert sum(times.parts.values()) == pytest.approx(times.read_apstar)
    assert times.astropy > 0.0
    with pytest.raises(NotMeasuredError, match="no apStar"):
        reading.times(tmp_path / "nothing", 1)


def test_memory_and_first_call_are_measured_in_processes_of_their_own(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0.01 < isolated.megabytes_of_training(bench) < 500.0
    monkeypatch.setattr(data, "raw_spectra", lambda raw=data.raw_spectra: raw(20))
    isolated.main("continuum", "1")
    rates = json.loads(capsys.readouterr().out)
    assert set(rates) == {"first", "later"}
    assert min(rates.values()) > 0.0


def test_raw_spectra_have_masks_of_their_own() -> None:
    flux, ivar = data.raw_spectra(4)
    assert flux.shape == ivar.shape == (4, N_PIXELS)
    assert not np.array_equal(ivar[0] == 0.0, ivar[1] == 0.0)
