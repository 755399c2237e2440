"""The model follows the content of the training set, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.catalog import Catalog
from apogee_labels.catalog.records import VerdictOutcome
from apogee_labels.core.code_version import code_version
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models.train import training_identity
from tests.dags.conftest import events_of, states

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_a_new_training_set_is_trained_and_comes_into_force(
    run_dag: RunDag, installation: Settings, catalog: Catalog
) -> None:
    run = run_dag("cannon_training")
    model = catalog.models.in_force("giants")
    assert run.state == "success"
    assert model is not None
    assert model.id == training_identity(
        installation.training_set, TrainingParameters(label_names=installation.label_names)
    )
    verdict = catalog.models.verdict(model.id)
    assert verdict is not None
    assert verdict.outcome is VerdictOutcome.ACCEPTED
    told = events_of(run)
    about = told["cannon_model"]
    assert (about["model_id"], about["training_set"]) == (model.id, model.training_set_digest)
    assert (about["stars"], about["code_version"]) == (model.n_stars, code_version())
    assert told["cannon_model_in_force"]["model_id"] == model.id


def test_a_broken_training_set_is_a_verdict_and_a_skip(
    run_dag: RunDag, installation: Settings, catalog: Catalog, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    installation.training_set.write_bytes(f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    os.utime(installation.training_set, (0, 0))
    run = run_dag("cannon_training")
    parameters = TrainingParameters(label_names=installation.label_names)
    verdict = catalog.models.verdict(training_identity(installation.training_set, parameters))
    assert run.state == "success"
    assert {task: states(run)[task] for task in ("train", "validate", "ask", "accept")} == {
        "train": ["skipped"], "validate": ["skipped"], "ask": ["skipped"], "accept": ["skipped"],
    }  # fmt: skip
    assert verdict is not None
    assert verdict.outcome is VerdictOutcome.BROKEN
    assert catalog.models.in_force("giants") is None
    assert not marker.exists(), "a pickle that would run a command was refused, and nothing ran"


def test_changed_content_is_trained_anew_and_the_night_is_pinned_to_it(
    run_dag: RunDag, installation: Settings, catalog: Catalog
) -> None:
    run_dag("cannon_training")
    first = catalog.models.in_force("giants")
    training_set = TrainingSet.read(installation.training_set)
    keep = np.arange(len(training_set.flux)) != 7
    TrainingSet(
        wavelength=training_set.wavelength,
        flux=training_set.flux[keep],
        ivar=training_set.ivar[keep],
        labels=training_set.labels[keep],
        label_names=training_set.label_names,
    ).write(installation.training_set)
    os.utime(installation.training_set, (0, 0))
    run_dag("cannon_training")
    second = catalog.models.in_force("giants")
    assert first is not None
    assert second is not None
    assert first.id != second.id
    run_dag("apogee_nightly_apo25m", datetime(2021, 3, 7, 2, tzinfo=UTC))
    assert {row["model"] for row in catalog.labels(night=59280, model=second.id)} == {second.id}


def test_what_the_form_asks_for_is_trained_and_a_run_by_hand_does_not_wait(
    run_dag: RunDag, installation: Settings, catalog: Catalog
) -> None:
    asked = {
        "label_names": ["TEFF"], "order": 1, "regularization_path": [1, 1e9], "scatter_rule": "median",
        "censors": {"TEFF": [[15200, 16000]]},
    }  # fmt: skip
    run_dag("cannon_training", **asked)
    model = catalog.models.in_force("giants")
    assert model is not None
    assert {name: model.parameters[name] for name in asked} == asked
    again = run_dag("cannon_training", **asked)
    assert states(again)["training_set_changed"] == states(again)["train"] == ["skipped"], "there is a verdict on it"
