"""The tasks that make a training set: they read their arguments, and say in one line what a person must change."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow import (
    ContinuumNormalizeOperator,
    FindTrainingSpectraOperator,
    SelectTrainingStarsOperator,
    WriteTrainingSetOperator,
)
from apogee_airflow.assets import TRAINING_SET
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.pipeline.training_sets.training_plan import read_plan
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_airflow.conftest import MakeContext


def select(workspace: Workspace, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "label_table": "sas/truth.csv",
        "label_names": ["TEFF", "LOGG"],
        "cuts": {"min_snr": 0},
    }
    return SelectTrainingStarsOperator(task_id="select", **arguments | changes)


def test_they_pass_on_a_plan_and_paths_and_tell_of_the_asset(workspace: Workspace, make_context: MakeContext) -> None:
    context: Any = make_context()
    context["outlet_events"] = defaultdict(SimpleNamespace)
    plan_id = select(workspace).execute(context)
    (paths,) = FindTrainingSpectraOperator(task_id="find", plan_id=plan_id).execute(context)
    assert len(paths) == 12
    regions = str(workspace.settings.continuum_regions)
    write = WriteTrainingSetOperator(
        task_id="write", plan_id=plan_id, output_path="sets/made.npz", outlets=[TRAINING_SET]
    )
    with pytest.raises(
        AirflowFailException, match="12 of 12 stars have a file that is neither normalised nor rejected"
    ):
        write.execute(context)
    ContinuumNormalizeOperator(
        task_id="normalize", apstar_paths=paths, continuum_regions_path=regions, sum_axis=0
    ).execute(context)
    report = write.execute(context)
    made = TrainingSet.read(report["path"])
    assert (
        (len(made), made.digest)
        == (report["stars"], report["digest"])
        == (12, context["outlet_events"][TRAINING_SET].extra["digest"])
    )
    assert write.outlets == [TRAINING_SET]
    assert write.execute(context)["is_new"] is False
    assert write.outlets == [], "nothing new is no event"


def test_texts_are_taken_as_what_they_say(workspace: Workspace, make_context: MakeContext) -> None:
    cuts = {
        "min_snr": "10.5",
        "max_stars": "None",
        "label_flags": "False",
        "ranges": "{'LOGG': [None, 9]}",
        "starflag": "off",
    }
    plan_id = select(workspace, label_names="['TEFF', 'FE_H']", cuts=cuts, use_remote="True").execute(make_context())
    plan = read_plan(workspace, plan_id)
    assert plan.label_names == ("TEFF", "FE_H")
    found = plan.cuts
    assert (found.min_snr, found.max_stars, found.label_flags, found.ranges) == (
        10.5,
        None,
        False,
        {"LOGG": (None, 9.0)},
    )
    assert "a file in the archive" not in [step.cut for step in plan.steps]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_table": "/etc/passwd"}, "expected a path below"),
        ({"label_names": ["TEFF", "MG_FE"]}, "expected the columns MG_FE"),
        ({"cuts": {"ranges": {"TEFF": [2, 1]}}}, "range of TEFF"),
        ({"least_share": 3}, "least_share: expected 0 to 1"),
    ],
)
def test_what_a_person_must_change_is_told_in_one_line(
    workspace: Workspace, make_context: MakeContext, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        select(workspace, **changes).execute(make_context())


def test_nothing_is_written_without_a_plan_or_elsewhere(workspace: Workspace, make_context: MakeContext) -> None:
    context: Any = make_context()
    with pytest.raises(AirflowFailException, match="no star was chosen"):
        WriteTrainingSetOperator(task_id="write", plan_id=None, output_path="x.pkl").execute(context)
    with pytest.raises(AirflowFailException, match="expected a path below"):
        WriteTrainingSetOperator(task_id="write", plan_id="p", output_path="/tmp/x.pkl").execute(context)
