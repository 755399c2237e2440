"""The form of a training: what it takes, and what it refuses before a run begins."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.definitions._internal.templater import NativeEnvironment
from airflow.sdk.definitions.param import ParamsDict, ParamValidationError

from apogee_airflow import TrainCannonOperator, TrainingSetSensor
from apogee_airflow.params.forms import (
    TRAINING_ARGUMENTS,
    ModelChoice,
    NightParameters,
    StarsParameters,
    form_value,
    params_form,
    training_form,
)
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.parameters import TrainingParameters


def fill(**given: Any) -> dict[str, Any]:
    """The form's values, validated as a run's are when it is started."""
    params = ParamsDict(training_form(Settings()))
    params.update(given)
    params.validate()
    return params.dump()


def test_the_form_as_it_comes_is_the_installation_s_training() -> None:
    values = fill()
    del values["training_set"]
    assert TrainingParameters(**values).as_json() == TrainingParameters(label_names=Settings().label_names).as_json()


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
    assert TrainingParameters(**values).as_json() != TrainingParameters(label_names=Settings().label_names).as_json()


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


def test_what_a_form_holds_is_one_native_value_and_its_text_stays_text() -> None:
    """Native rendering would make a number of the first: the identity of a model may look like one."""
    given = {"model": "12e456789012", "reason": "2024"}
    assert NativeEnvironment().from_string(form_value(ModelChoice)).render(params=given | {"other": 1}) == given
    assert ModelChoice(**given).model == "12e456789012"


@pytest.mark.parametrize("model", [NightParameters, StarsParameters])
def test_a_form_s_defaults_are_the_model_s(model: Any) -> None:
    values = ParamsDict(params_form(model)).dump()
    assert model(**values) == model()
    assert all(param.schema["title"] for param in params_form(model).values())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"late_nights": "many"}, "late_nights: expected a valid integer, .*, got 'many'"),
        ({"max_rejected_share": 2}, "max_rejected_share: expected 0 to 1, got 2"),
        ({"visits": "perhaps"}, "visits: expected a valid boolean.*, got 'perhaps'"),
        ({"night": 59281}, "night: expected one of mjd, reprocess"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        NightParameters(**given)


def test_text_is_taken_for_what_it_says() -> None:
    read = NightParameters(mjd="59281", visits="True", late_nights="", wait_hours="1.5")
    assert read == NightParameters(mjd=59281, visits=True, wait_hours=1.5)
