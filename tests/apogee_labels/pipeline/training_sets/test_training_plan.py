"""Which stars a training set is made of."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from apogee_labels.apogee.tables.cuts import Cuts
from apogee_labels.apogee.tables.label_table import LabelTableError
from apogee_labels.pipeline.training_sets.training_plan import (
    TrainingSetParameters,
    allowed_output,
    allowed_table,
    plan_training_set,
    read_plan,
)
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey


def test_a_plan_comes_back_as_it_was_written(
    workspace: Workspace, table: Path, parameters: TrainingSetParameters
) -> None:
    plan = plan_training_set(workspace, table, parameters.replace(cuts=Cuts(max_stars=5)))
    assert read_plan(workspace, plan.identity) == plan
    assert len(plan.stars) == 5
    assert plan_training_set(workspace, table, parameters).identity != plan.identity
    with pytest.raises(LookupError, match="run the task that selects the stars again"):
        read_plan(workspace, "0" * 64)


def test_the_log_has_a_table_of_the_cuts(
    workspace: Workspace, table: Path, parameters: TrainingSetParameters, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        plan_training_set(workspace, table, parameters.replace(cuts=Cuts(ranges={"LOGG": [None, 2.0]}, max_stars=2)))
    kept = sum(labels["LOGG"] <= 2.0 for labels in SyntheticSurvey("x", n_stars=12, nights=2).truth().values())
    assert f"{12 - kept:9d} {kept:9d}  LOGG to 2\n" in caplog.text
    assert f"{kept - 2:9d} {2:9d}  at most 2 stars" in caplog.text


def test_a_label_that_the_table_does_not_have_is_refused(
    workspace: Workspace, table: Path, parameters: TrainingSetParameters
) -> None:
    with pytest.raises(LabelTableError, match="expected the columns ALPHA_M or"):
        plan_training_set(workspace, table, parameters.replace(label_names=("TEFF", "ALPHA_M")))


def test_a_form_opens_and_writes_nothing_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    settings = workspace.settings
    assert allowed_table(workspace, "sas/truth.csv") == settings.sas_base_dir.resolve() / "truth.csv"
    assert allowed_table(workspace, str(settings.sas_base_dir / "x.fits")).name == "x.fits"
    assert allowed_output(workspace, str(settings.training_set)) == settings.training_set
    assert allowed_output(workspace, "sets/x.npz") == settings.data_dir.resolve() / "sets" / "x.npz"
    (settings.data_dir / "link.fits").symlink_to("/etc/passwd")
    for name in ("/etc/passwd", "../x.fits", "link.fits"):
        with pytest.raises(ValueError, match="expected a path below"):
            allowed_table(workspace, name)
    for name in ("/tmp/x.pkl", "../x.pkl"):
        with pytest.raises(ValueError, match="expected a path below"):
            allowed_output(workspace, name)
    with pytest.raises(ValueError, match="ends in"):
        allowed_output(workspace, "sets/x.fits")
    own = replace(workspace, settings=settings.model_copy(update={"training_set": tmp_path / "own.pkl"}))
    assert allowed_output(own, str(tmp_path / "own.pkl")) == tmp_path / "own.pkl"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"label_names": ("TEFF", "TEFF")}, "all different"), ({"least_share": 1.5}, "least_share: expected 0 to 1")],
)
def test_impossible_parameters_are_refused(
    parameters: TrainingSetParameters, wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        parameters.replace(**wrong)
    with pytest.raises(ValueError, match="expected sum_axis 0"):
        parameters.replace(normalization=parameters.normalization.replace(sum_axis=None))


def test_stars_whose_file_is_here_are_chosen_before_others(
    workspace: Workspace, survey: SyntheticSurvey, table: Path, parameters: TrainingSetParameters
) -> None:
    for star in survey.stars[3:]:
        survey.path(star).unlink()
    few = parameters.replace(cuts=Cuts(min_snr=0.0, max_stars=3))
    here = {star.obj for star in survey.stars[:3]}
    assert {star.obj for star in plan_training_set(workspace, table, few, only_here=True).stars} == here
    everywhere = plan_training_set(workspace, table, few)
    assert len(everywhere.stars) == 3
    assert {star.obj for star in everywhere.stars} != here
