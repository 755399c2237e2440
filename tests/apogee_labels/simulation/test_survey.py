"""The survey: the same for the same seed, rewritten night by night, and good enough to learn labels from."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.apogee.archive.archive import Archive
from apogee_labels.apogee.spectra.apstar import read_apstar, read_header
from apogee_labels.cannon.continuum.normalization import normalize
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.errors import BadInputError
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.simulation.damage import Damage
from apogee_labels.simulation.survey import FIRST_MJD, TELESCOPES, TRUTH, SyntheticSurvey
from tests.support.command import call, output_of


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_nights_rewrite_what_they_visit(tmp_path: Path) -> None:
    survey = SyntheticSurvey(tmp_path, seed=2, n_stars=12)
    for mjd in survey.nights:
        for telescope in TELESCOPES:
            paths = survey.observe(telescope, mjd)
            assert paths
            for path in paths:
                nights = [visit.mjd for visit in read_header(path).visits]
                assert nights[-1] == mjd
    counts = [len(read_header(survey.path(star)).visits) for star in survey.stars]
    assert min(counts) == 1
    assert max(counts) > 1


def test_observing_all_is_observing_night_by_night(tmp_path: Path) -> None:
    slowly, at_once = (SyntheticSurvey(tmp_path / name, seed=2, n_stars=6) for name in ("slowly", "at-once"))
    for mjd in slowly.nights:
        for telescope in TELESCOPES:
            slowly.observe(telescope, mjd)
    at_once.observe_all()
    left, right = contents(tmp_path / "slowly"), contents(tmp_path / "at-once")
    assert {name: content for name, (content, _) in left.items()} == {
        name: content for name, (content, _) in right.items()
    }


def test_files_are_where_the_archive_looks(survey: SyntheticSurvey) -> None:
    archive = Archive(survey.root, survey.release, survey.apred)
    found = {Path(entry.path) for telescope in TELESCOPES for entry in archive.walk(telescope)}
    assert found == {survey.path(star) for star in survey.stars}
    for star in survey.stars:
        assert archive.keys(survey.path(star)).obj == star.obj


def test_truth_is_in_the_root(survey: SyntheticSurvey) -> None:
    with (survey.root / TRUTH).open(newline="") as stream:
        rows = {row["obj"]: row for row in csv.DictReader(stream)}
    assert len(rows) == len(survey.stars) == len(survey.truth())
    for obj, labels in survey.truth().items():
        assert float(rows[obj]["TEFF"]) == pytest.approx(labels["TEFF"], abs=1e-3)


def test_an_unknown_telescope_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a telescope of apo25m, lco25m, got 'keck'"):
        SyntheticSurvey(tmp_path).observe("keck", FIRST_MJD)


def test_a_spoilt_star_is_damaged_from_the_start(tmp_path: Path) -> None:
    survey = SyntheticSurvey(tmp_path, n_stars=2, spoilt={1: Damage.EMPTY})
    survey.observe_all()
    assert survey.path(survey.stars[1]).stat().st_size == 0
    read_apstar(survey.path(survey.stars[0]))


def test_the_command_makes_a_demo_and_changes_nothing_when_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = tmp_path / "data" / "training_set.pkl"
    command = [str(tmp_path / "sas"), "--stars", "8", "--training-set", str(training), "--training-stars", "30"]
    said = output_of("simulate", *command)
    before, training_before = contents(tmp_path / "sas"), contents(training.parent)
    assert len(before) == 9
    assert "cut short on purpose: apStar-dr17-2M" in said
    for path in (tmp_path / "sas").rglob("*.fits"):
        os.utime(path, ns=(1, 1))  # a file that is written again gets another time
    assert "(unchanged)" in output_of("simulate", *command)
    after = contents(tmp_path / "sas")
    assert {name: content for name, (content, _) in after.items()} == {name: b for name, (b, _) in before.items()}
    assert {time for name, (_, time) in after.items() if name.endswith(".fits")} == {1}
    assert contents(training.parent) == training_before


def test_the_demos_damaged_file_belongs_to_its_last_night(tmp_path: Path) -> None:
    output_of("simulate", tmp_path, "--stars", 6)
    bad = []
    for path in tmp_path.rglob("*.fits"):
        try:
            read_apstar(path)
        except BadInputError:
            bad.append(path)
    assert len(bad) == 1
    assert [visit.mjd for visit in read_header(bad[0]).visits] == [FIRST_MJD + 2]


def test_arguments_are_checked(tmp_path: Path) -> None:
    result = call("simulate", tmp_path, "--nights", "0")
    assert result.exit_code == 2
    assert "0 is not in the range x>=1" in result.stderr


def test_labels_come_back(tmp_path: Path) -> None:
    """The whole way on synthetic stars: rms of some tens of K, no bias to speak of, reduced chi-square near 1."""
    survey = SyntheticSurvey(tmp_path, seed=7, n_stars=40)
    survey.observe_all()
    assert survey.write_training_set(tmp_path / "training.pkl", 250)
    model = CannonModel.train(TrainingSet.read(tmp_path / "training.pkl"))
    rows = [normalize(read_apstar(survey.path(star)), SHIPPED_REGIONS) for star in survey.stars]
    result = model.infer(np.concatenate([row.flux for row in rows]), np.concatenate([row.ivar for row in rows]))
    difference = result.labels - np.array([star.labels for star in survey.stars])
    assert (np.sqrt((difference**2).mean(axis=0)) < [40.0, 0.06, 0.02]).all()
    assert (np.abs(np.median(difference, axis=0)) < [8.0, 0.02, 0.005]).all()
    assert np.median(result.reduced_chi_sq) == pytest.approx(1.0, abs=0.06)
