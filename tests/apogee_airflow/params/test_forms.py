"""The form of a training: what it takes, and what it refuses before a run begins."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.definitions.param import ParamsDict, ParamValidationError

from apogee_airflow import TrainCannonOperator, TrainingSetSensor
from apogee_airflow.params.forms import TRAINING_ARGUMENTS, training_form
from apogee_airflow.params.training_parameters import training_parameters
from apogee_labels.core.settings import Settings


def fill(**given: Any) -> dict[str, Any]:
    """The form's values, validated as a run's are when it is started."""
    params = ParamsDict(training_form(Settings()))
    params.update(given)
    params.validate()
    return params.dump()


def test_the_form_as_it_comes_is_the_installation_s_training() -> None:
    values = fill()
    del values["training_set"]
    assert training_parameters(**values).as_json() == training_parameters(Settings().label_names, 2, 0).as_json()


def test_every_part_of_it_is_handed_to_the_sensor_and_the_operator() -> None:
    form = training_form(Settings())
    assert {f"{{{{ params.{name} }}}}" for name in form} == set(TRAINING_ARGUMENTS.values())
    assert all(param.schema["title"] for param in form.values())
    for operator in (TrainCannonOperator, TrainingSetSensor):
        assert set(TRAINING_ARGUMENTS) == set(operator.template_fields)


@pytest.mark.parametrize(
    "given",
    [
        {"regularization_path": [0, 10.0, 100]},
        {"censors": {"FE_H": [[15200, 15300.5], [16000, 16100]]}},
        {"scatter_rule": "likelihood"},
    ],
)
def test_what_makes_sense_is_taken(given: dict[str, Any]) -> None:
    values = fill(**given)
    del values["training_set"]
    assert training_parameters(**values).as_json() != training_parameters(Settings().label_names, 2, 0).as_json()


@pytest.mark.parametrize(
    "given",
    [
        {"order": 5},
        {"order": "two"},
        {"label_names": [1]},
        {"regularization": -1},
        {"regularization_path": [10, -1]},
        {"regularization_path": ["many"]},
        {"regularization_path": 10},
        {"censors": [[15200, 15300]]},
        {"censors": {"FE_H": []}},
        {"censors": {"FE_H": [15200, 15300]}},
        {"censors": {"FE_H": [[15200, 15300, 15400]]}},
        {"censors": {"FE_H": [["low", "high"]]}},
        {"scatter_rule": "mean"},
    ],
)
def test_what_cannot_be_is_refused_when_the_run_is_started(given: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        fill(**given)
