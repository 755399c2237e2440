"""A model is known by what made it, and trained once."""

from __future__ import annotations

import logging
import os
import pickle
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.catalog.records import VerdictOutcome
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.pipeline.analysis.infer import read_model
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models import train, training_progress
from apogee_labels.pipeline.models.acceptance import accept_model
from apogee_labels.pipeline.models.train import train_model, training_due, training_identity
from apogee_labels.pipeline.workspace import Workspace


def test_the_same_content_is_not_trained_twice(workspace: Workspace, training: TrainingParameters) -> None:
    path = workspace.settings.training_set
    first = train_model(workspace, path, training)
    written = workspace.model_path(first).stat().st_mtime_ns
    os.utime(path, (0, 0))
    copy = path.with_name("renamed.pkl")
    shutil.copy(path, copy)
    assert train_model(workspace, path, training) == train_model(workspace, copy, training) == first
    assert workspace.model_path(first).stat().st_mtime_ns == written


def test_other_content_or_parameters_make_another_model(workspace: Workspace, training: TrainingParameters) -> None:
    path = workspace.settings.training_set
    content = pickle.loads(path.read_bytes())
    content["flux"] = np.asarray(content["flux"]) * 1.0001
    other = path.with_name("other.pkl")
    other.write_bytes(pickle.dumps(content))
    linear = TrainingParameters(label_names=training.label_names, order=1)
    identities = {
        training_identity(path, training),
        training_identity(other, training),
        training_identity(path, linear),
    }
    assert len(identities) == 3


def test_labels_keep_the_order_in_which_they_were_asked_for(workspace: Workspace) -> None:
    names = ("FE_H", "TEFF")
    identity = train_model(workspace, workspace.settings.training_set, TrainingParameters(label_names=names, order=1))
    assert CannonModel.read(workspace.model_path(identity)).label_names == names
    record = workspace.catalog.models.get(identity)
    assert record is not None
    assert record.label_names == names


def test_the_model_file_says_what_made_it(workspace: Workspace, training: TrainingParameters) -> None:
    identity = train_model(workspace, workspace.settings.training_set, training)
    assert read_model(workspace, identity).metadata["identity"] == identity


def _train_linear(workspace: Workspace, caplog: pytest.LogCaptureFixture, *names: str) -> tuple[str, list[str]]:
    """Train a linear model of these labels: its identity, and the lines that are logged."""
    with caplog.at_level(logging.INFO, train.__name__):
        parameters = TrainingParameters(label_names=names, order=1)
        identity = train_model(workspace, workspace.settings.training_set, parameters)
    return identity, [record.getMessage() for record in caplog.records if record.name == train.__name__]


def test_the_log_says_how_far_it_is_and_what_validation_found(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_progress, "REPORT_EVERY", 0.0)
    with caplog.at_level(logging.INFO, training_progress.__name__):
        identity, (trained, validated) = _train_linear(workspace, caplog, "LOGG", "TEFF")
    lines = [record.getMessage() for record in caplog.records if record.name == training_progress.__name__]
    found = [re.fullmatch(r"training: (\d+) %(, about \d+ (s|min) left)?", line) for line in lines]
    shares = [int(match[1]) for match in found if match]
    assert len(shares) == len(lines)
    assert [line for line in lines if "left" in line], "what remains is estimated"
    assert shares == sorted(shares)
    assert (shares[0] < 10, shares[-1], len(set(shares)) > 10) == (True, 100, True)
    assert "120 stars" in trained
    validation = read_model(workspace, identity).validation
    assert validation is not None
    parts = zip(("LOGG", "TEFF"), validation.bias, validation.rms, ("dex", "K"), strict=True)
    assert validated == (
        f"validated, {validation.n_folds} folds: {validation.n_components} components, "
        f"correction {'on' if validation.corrected else 'off'}; bias, rms: "
        + "; ".join(f"{name} {bias:.3g}, {rms:.3g} {unit}" for name, bias, rms, unit in parts)
    )


def test_few_stars_are_not_validated_and_a_quick_training_says_no_progress(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_progress, "REPORT_EVERY", 3600.0)
    path = workspace.settings.training_set
    content = pickle.loads(path.read_bytes())
    of_few = {name: content[name][:7] for name in ("flux", "ivar")} | {"labels": np.asarray(content["labels"])[:, :7]}
    path.write_bytes(pickle.dumps(content | of_few))
    _, (trained, validated) = _train_linear(workspace, caplog, "TEFF")
    assert ("7 stars" in trained, validated) == (True, "not validated: too few stars")


def test_a_broken_training_set_gets_a_verdict_once(workspace: Workspace, training: TrainingParameters) -> None:
    path = workspace.settings.training_set
    path.write_bytes(b"not a pickle")
    for _ in range(2):
        with pytest.raises(BadInputError):
            train_model(workspace, path, training)
    verdict = workspace.catalog.models.verdict(training_identity(path, training))
    assert verdict is not None
    assert verdict.outcome is VerdictOutcome.BROKEN
    assert verdict.reason
    assert workspace.catalog.models.in_force("giants") is None


def test_accepting_twice_changes_nothing(workspace: Workspace, training: TrainingParameters) -> None:
    identity = train_model(workspace, workspace.settings.training_set, training)
    assert [accept_model(workspace, identity, "test") for _ in range(2)] == [True, False]
    in_force = workspace.catalog.models.in_force("giants")
    assert in_force is not None
    assert in_force.id == identity


def test_a_missing_training_set_says_where_it_was_looked_for(
    workspace: Workspace, training: TrainingParameters
) -> None:
    with pytest.raises(BadInputError, match=r"APOGEE_LABELS_TRAINING_SET"):
        train_model(workspace, workspace.settings.data_dir / "none.pkl", training)


def test_a_model_that_is_not_on_record_is_refused(workspace: Workspace) -> None:
    with pytest.raises(BadInputError, match="cannon_training"):
        read_model(workspace, "0" * 64)


def test_a_model_that_was_accepted_and_is_not_in_force_is_due_again(
    workspace: Workspace, training: TrainingParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue went away between the two, or the installation's model has another name now."""
    identity = train_model(workspace, workspace.settings.training_set, training)
    assert training_due(workspace, identity)[0]
    accept_model(workspace, identity, "test")
    assert not training_due(workspace, identity)[0]
    renamed = replace(workspace, settings=workspace.settings.model_copy(update={"model_name": "dwarfs"}))
    assert training_due(renamed, identity)[0]


def test_a_training_set_that_changes_while_it_is_read_gets_no_verdict(
    workspace: Workspace, training: TrainingParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workspace.settings.training_set
    good = path.read_bytes()
    path.write_bytes(good[:1000])
    identity = training_identity(path, training)

    def complete(*_: object) -> None:
        path.write_bytes(good)
        raise BadInputError(Reason.BAD_TRAINING_SET, "cut short")

    monkeypatch.setattr(TrainingSet, "read", complete)
    with pytest.raises(OSError, match="rewritten"):
        train_model(workspace, path, training)
    assert workspace.catalog.models.verdict(identity) is None
    assert workspace.catalog.models.verdict(training_identity(path, training)) is None
