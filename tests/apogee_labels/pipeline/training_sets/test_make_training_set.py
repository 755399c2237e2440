"""A table of labels and an archive become a training set, once."""

from __future__ import annotations

import csv
import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.apogee.tables.cuts import Cuts
from apogee_labels.cannon.io.normalized import read_normalized
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_file
from apogee_labels.pipeline.analysis.normalize import normalize_files
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.training_sets.make_training_set import make_training_set, write_training_set
from apogee_labels.pipeline.training_sets.training_plan import TrainingSetParameters, plan_training_set
from apogee_labels.pipeline.training_sets.training_spectra import UnfinishedSpectraError, find_spectra
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support.archive_server import Remote

NAMES = ("TEFF", "LOGG", "FE_H")


def test_it_holds_the_stars_normalised_spectra_and_their_labels(
    workspace: Workspace, survey: SyntheticSurvey, table: Path, parameters: TrainingSetParameters
) -> None:
    report = make_training_set(workspace, table, parameters.replace(label_names=("FE_H", "TEFF")))
    made = TrainingSet.read(workspace.settings.training_set)
    assert (report.path, report.digest, report.is_new) == (workspace.settings.training_set, made.digest, True)
    assert made.label_names == ("FE_H", "TEFF")
    names = json.loads(str(made.provenance["stars"]))
    truth = survey.truth()
    assert names == sorted(truth)
    np.testing.assert_allclose(made.labels, [[truth[name][k] for k in ("FE_H", "TEFF")] for name in names], atol=1e-3)
    paths = {star.obj: survey.path(star) for star in survey.stars}
    outcomes = normalize_files(workspace, [paths[name] for name in names], parameters.normalization)
    for row, outcome in enumerate(outcomes):
        assert outcome.unwrap().already_complete
        spectrum = read_normalized(workspace.normalized_path(outcome.unwrap().normalization_id))
        np.testing.assert_array_equal(made.flux[row], np.where(made.ivar[row] > 0, spectrum.flux[0], 1.0))
        np.testing.assert_array_equal(made.ivar[row][made.ivar[row] > 0], spectrum.ivar[0][made.ivar[row] > 0])
    assert (made.ivar > 0).mean() > 0.7


def test_both_formats_say_what_it_was_made_from(
    workspace: Workspace, table: Path, parameters: TrainingSetParameters
) -> None:
    report = make_training_set(workspace, table, parameters)
    pickled, other = (TrainingSet.read(report.path.with_suffix(suffix)) for suffix in (".pkl", ".npz"))
    for name in ("wavelength", "flux", "ivar", "labels"):
        np.testing.assert_array_equal(getattr(pickled, name), getattr(other, name))
    assert pickled.provenance == other.provenance
    assert json.loads(str(pickled.provenance["normalization"])) == parameters.normalization.as_json()
    assert pickled.provenance["label_table"] == digest_file(table)
    assert (pickled.provenance["release"], pickled.provenance["n_stars"]) == ("dr17", 12)
    assert json.loads(str(pickled.provenance["parameters"]))["cuts"] == parameters.cuts.as_json()


def test_the_same_input_gives_the_same_file_and_leaves_it_alone(
    workspace: Workspace, table: Path, parameters: TrainingSetParameters
) -> None:
    first = make_training_set(workspace, table, parameters)
    npz = first.path.with_suffix(".npz")
    for path in (first.path, npz):
        os.utime(path, (0, 0))
    copy = table.with_name("renamed.csv")
    copy.write_bytes(table.read_bytes())
    again = make_training_set(workspace, copy, parameters)
    assert (again.digest, again.is_new) == (first.digest, False)
    assert {path.stat().st_mtime for path in (first.path, npz)} == {0}
    elsewhere = make_training_set(workspace, table, parameters, workspace.settings.data_dir / "sets" / "other.npz")
    assert elsewhere.path.read_bytes() == npz.read_bytes()
    assert elsewhere.path.with_suffix(".pkl").read_bytes() == first.path.read_bytes()
    assert sum(workspace.catalog.duplicates.counts().values()) == 0


def test_stars_without_a_good_file_are_left_out_and_counted(
    workspace: Workspace, survey: SyntheticSurvey, table: Path, parameters: TrainingSetParameters
) -> None:
    gone, broken = survey.stars[1], survey.stars[4]
    survey.path(gone).unlink()
    damage(survey.path(broken), Damage.TRUNCATED)
    report = make_training_set(workspace, table, parameters)
    assert (report.n_stars, report.left_out) == (10, {"unreadable": 1})
    assert ("a file in the archive", 1, 11) in report.plan.steps
    names = json.loads(str(TrainingSet.read(report.path).provenance["stars"]))
    assert set(names) == {star.obj for star in survey.stars} - {gone.obj, broken.obj}


def test_where_the_table_has_no_signal_to_noise_ratio_the_file_s_counts(
    workspace: Workspace, survey: SyntheticSurvey, table: Path, parameters: TrainingSetParameters
) -> None:
    everything = make_training_set(workspace, table, parameters)
    found = workspace.catalog.spectra.find(digest_file(survey.path(star)) for star in survey.stars)
    signal = sorted(spectrum.snr for spectrum in found.values())
    limit = (signal[3] + signal[4]) / 2
    report = make_training_set(workspace, table, parameters.replace(cuts=Cuts(min_snr=limit)))
    assert everything.n_stars == 12
    assert (report.n_stars, report.left_out) == (8, {"low S/N in the file": 4})


def test_pixels_of_too_few_stars_are_closed(
    workspace: Workspace, table: Path, parameters: TrainingSetParameters
) -> None:
    seen = (TrainingSet.read(make_training_set(workspace, table, parameters).path).ivar > 0).sum(axis=0)
    report = make_training_set(workspace, table, parameters.replace(least_share=1.0))
    made = TrainingSet.read(report.path)
    assert report.n_closed == ((seen > 0) & (seen < 12)).sum() > 0
    assert set((made.ivar > 0).sum(axis=0)) == {0, 12}
    assert (made.flux[made.ivar == 0] == 1.0).all()


def test_what_is_not_here_is_fetched_if_that_is_asked(
    workspace: Workspace, survey: SyntheticSurvey, table: Path, parameters: TrainingSetParameters, remote: Remote
) -> None:
    near = replace(workspace, settings=workspace.settings.model_copy(update={"remote_base": remote.base}))
    for star in survey.stars[:3]:
        survey.path(star).unlink()
    del remote.files[f"/sas/{survey.path(survey.stars[0]).relative_to(survey.root)}"]
    report = make_training_set(near, table, parameters, use_remote=True)
    assert (report.n_stars, report.left_out) == (11, {"not_at_remote": 1})
    assert len(remote.asked) == 3


def test_a_file_that_is_gone_since_it_was_chosen_is_told(
    workspace: Workspace,
    survey: SyntheticSurvey,
    table: Path,
    parameters: TrainingSetParameters,
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = plan_training_set(workspace, table, parameters, only_here=True)
    gone = survey.path(survey.stars[1])
    gone.unlink()
    with caplog.at_level(logging.WARNING):
        paths = find_spectra(workspace, plan)
    assert f"{survey.stars[1].obj} is left out: there is no {gone}" in caplog.text
    normalize_files(workspace, paths, parameters.normalization)
    report = write_training_set(workspace, plan.identity, workspace.settings.training_set)
    assert (report.n_stars, report.left_out) == (11, {"missing": 1})


def test_a_table_without_fields_finds_its_files_by_the_index(
    workspace: Workspace, survey: SyntheticSurvey, table: Path, parameters: TrainingSetParameters
) -> None:
    bare = table.with_name("bare.csv")
    with table.open() as stream:
        rows = [{name: row[name] for name in ("obj", *NAMES)} for row in csv.DictReader(stream)]
    with bare.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["obj", *NAMES])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(BadInputError, match="no star is left of 12 in the table") as raised:
        make_training_set(workspace, bare, parameters)
    assert raised.value.reason is Reason.BAD_TRAINING_SET
    for telescope in ("apo25m", "lco25m"):
        scan_archive(workspace, telescope)
    one, other = (make_training_set(workspace, path, parameters) for path in (bare, table))
    assert one.n_stars == other.n_stars == 12
    assert (one.plan.table_digest != other.plan.table_digest) is True


def test_files_that_are_not_normalised_yet_are_no_stars_to_leave_out(
    workspace: Workspace, survey: SyntheticSurvey, table: Path, parameters: TrainingSetParameters
) -> None:
    plan = plan_training_set(workspace, table, parameters)
    normalize_files(workspace, [survey.path(star) for star in survey.stars[:11]], parameters.normalization)
    output = workspace.settings.data_dir / "set.pkl"
    with pytest.raises(UnfinishedSpectraError, match=f"1 of 12 stars .* first {survey.stars[11].obj}"):
        write_training_set(workspace, plan.identity, output)
    assert not output.exists()


def test_contents_that_were_normalised_under_another_path_are_found(
    workspace: Workspace, survey: SyntheticSurvey, table: Path, parameters: TrainingSetParameters
) -> None:
    folder = workspace.settings.data_dir / "incoming"
    folder.mkdir()
    copies = [shutil.copy(survey.path(star), folder) for star in survey.stars]
    normalize_files(workspace, copies, parameters.normalization)
    assert make_training_set(workspace, table, parameters).n_stars == 12


def test_a_product_that_is_lost_is_made_anew(
    workspace: Workspace, table: Path, parameters: TrainingSetParameters
) -> None:
    first = make_training_set(workspace, table, parameters)
    for product in (workspace.settings.data_dir / "normalized").rglob("*.fits"):
        product.unlink()
    again = write_training_set(workspace, first.plan.identity, first.path)
    assert (again.digest, again.is_new) == (first.digest, False)
