"""A training that is killed leaves no half model, and is done by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.analysis.infer import read_model
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models.train import train_model, training_due, training_identity
from apogee_labels.pipeline.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
PARAMETERS = TrainingParameters(label_names=("TEFF", "FE_H"))
TRAIN = """
import signal, sys, time
from pathlib import Path
from apogee_airflow import TrainCannonOperator
from apogee_labels.pipeline.models import training_progress
import apogee_labels.core.files, apogee_labels.cannon.io.model_file

def halt(*arguments, **keywords):
    print("here", flush=True)
    time.sleep(60)

if sys.argv[2] == "training":  # after some pixels
    training_progress.TrainingProgress.__call__ = halt
else:  # the model is whole, and has not got its name
    put_in_place = apogee_labels.core.files.put_in_place
    def slow(temporary, path, **keywords):
        halt() if path.parent.name == "models" else put_in_place(temporary, path, **keywords)
    apogee_labels.core.files.put_in_place = slow
task = TrainCannonOperator(task_id="train", training_set_path=sys.argv[1], label_names="TEFF,FE_H")
signal.signal(signal.SIGTERM, lambda *_: task.on_kill())  # as Airflow's task runner does
task.execute({})
"""


def kill_in_the_middle(workspace: Workspace, place: str, how: signal.Signals) -> int:
    command = [sys.executable, "-c", TRAIN, str(workspace.settings.training_set), place]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.strip() == "here" for line in process.stdout), "it ended before"
        process.send_signal(how)
        return process.wait(20)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "how"), [("writing", signal.SIGTERM), ("training", signal.SIGKILL), ("writing", signal.SIGKILL)]
)
def test_a_killed_training_leaves_nothing_that_could_be_taken_for_a_model(
    workspace: Workspace, place: str, how: signal.Signals
) -> None:
    path, models = workspace.settings.training_set, workspace.settings.data_dir / "models"
    identity = training_identity(path, PARAMETERS)
    assert kill_in_the_middle(workspace, place, how) != 0
    assert list(models.glob("*.fits")) == []
    left = list(models.glob("*.part"))
    assert len(left) == (place == "writing" and how is signal.SIGKILL), "a task that is cleared tidies up itself"
    assert workspace.catalog.models.get(identity) is None
    assert workspace.catalog.models.verdict(identity) is None
    with pytest.raises(BadInputError):
        read_model(workspace, identity)
    assert training_due(workspace, identity)[0], "the next run finds it due"
    assert train_model(workspace, path, PARAMETERS) == identity, "the lock went with the process"
    assert read_model(workspace, identity).metadata["identity"] == identity
    assert [file.name for file in models.iterdir()] == [f"{identity}.fits"]
