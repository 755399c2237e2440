"""A table of labels becomes the installation's training set through its DAG."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.settings import Settings
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.dags.conftest import states
from tests.support.dag_runs import events_of

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_a_table_becomes_the_training_set(run_dag: RunDag, survey: SyntheticSurvey, installation: Settings) -> None:
    gone, broken = survey.stars[1], survey.stars[4]
    survey.path(gone).unlink()
    damage(survey.path(broken), Damage.TRUNCATED)
    run = run_dag("cannon_training_set", label_table="sas/truth.csv", label_names=["FE_H", "LOGG"], min_snr=0)
    assert run.state == "success"
    assert {state for task in states(run).values() for state in task} == {"success"}
    made = TrainingSet.read(installation.training_set)
    assert made.label_names == ("FE_H", "LOGG")
    names = {star.obj for star in survey.stars} - {gone.obj, broken.obj}
    assert set(json.loads(str(made.provenance["stars"]))) == names
    assert events_of(run)["cannon_training_set"] == {
        "digest": made.digest,
        "stars": 10,
        "path": str(installation.training_set),
        "label_table": made.provenance["label_table"],
        "labels": ["FE_H", "LOGG"],
    }


def test_a_table_that_lies_elsewhere_starts_nothing(run_dag: RunDag, installation: Settings) -> None:
    before = installation.training_set.read_bytes()
    run = run_dag("cannon_training_set", label_table="/etc/passwd")
    found = states(run)
    assert (run.state, found["select_stars"], found["write_training_set"]) == ("failed", ["failed"], ["failed"])
    assert installation.training_set.read_bytes() == before
