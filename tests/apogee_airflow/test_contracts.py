"""What DAGs of others rely on: names, arguments, defaults, templated fields, documentation."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator

import apogee_airflow

ROOT = Path(__file__).resolve().parents[2]
FIRST_ARGUMENTS: dict[str, dict[str, Any]] = {
    "AcceptModelOperator": {"model_id": "m"},
    "ApproveModelOperator": {"model_id": "m"},
    "ApStarSensor": {"telescope": "apo25m"},
    "ContinuumNormalizeOperator": {"apstar_paths": [], "continuum_regions_path": "regions.txt"},
    "FetchApStarOperator": {"star": {}},
    "FetchNightOperator": {"telescope": "apo25m"},
    "FindTrainingSpectraOperator": {"plan_id": "p"},
    "InferLabelsOperator": {"normalizations": [], "model_id": "m"},
    "ListApStarsOperator": {"telescope": "apo25m", "model_id": "m"},
    "ListFolderOperator": {"model_id": "m", "parameters": {}},
    "ListStarsOperator": {},
    "PinModelOperator": {},
    "PlanReanalysisOperator": {"model_id": "m"},
    "PublishNightOperator": {"telescope": "apo25m", "model_id": "m"},
    "PublishReanalysisOperator": {"model_id": "m"},
    "PublishSummaryOperator": {},
    "ReanalyseOperator": {"batch": {}, "model_id": "m"},
    "PutModelInForceOperator": {"choice": {}},
    "ReportFolderOperator": {"model_id": "m", "parameters": {}, "listed": []},
    "ReportStarsOperator": {"stars": [], "model_id": "m"},
    "RetainProductsOperator": {},
    "SelectTrainingStarsOperator": {"label_table": "allStar.fits", "label_names": "TEFF", "cuts": {}},
    "TrainCannonOperator": {"training_set_path": "t.pkl", "label_names": "TEFF"},
    "TrainingSetSensor": {"training_set_path": "t.pkl", "label_names": "TEFF"},
    "ValidateModelOperator": {"model_id": "m"},
    "WriteTrainingSetOperator": {"plan_id": "p", "output_path": "t.pkl"},
}
OPERATORS = sorted(FIRST_ARGUMENTS)


def make(name: str, **arguments: Any) -> Any:
    return getattr(apogee_airflow, name)(task_id="a_task", **FIRST_ARGUMENTS[name] | arguments)


def test_the_package_names_all_of_its_operators_and_no_more() -> None:
    """Every public operator of a module is importable from the package, under the name that `__all__` says."""
    defined = {"ObservingNightTimetable"}
    for folder in ("operators", "sensors"):
        package = importlib.import_module(f"apogee_airflow.{folder}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, member in vars(importlib.import_module(module.name)).items():
                if (
                    inspect.isclass(member)
                    and member.__module__ == module.name
                    and issubclass(member, BaseOperator)
                    and name[0] != "_"
                ):
                    defined.add(name)
    assert set(apogee_airflow.__all__) == defined
    assert set(OPERATORS) | {"ObservingNightTimetable"} == defined
    for name in defined:
        assert getattr(apogee_airflow, name).__name__ == name


def test_a_name_that_is_not_there_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchOperator"):
        apogee_airflow.NoSuchOperator  # noqa: B018


def test_the_package_imports_neither_operators_nor_the_pipeline() -> None:
    code = "import sys, apogee_airflow; print([name for name in sys.modules if name.startswith('apogee_airflow.')])"
    path = str(ROOT)
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


@pytest.mark.parametrize("name", OPERATORS)
def test_templated_fields_are_attributes_and_arguments_keyword_only(name: str) -> None:
    operator = make(name)
    for template_field in operator.template_fields:
        assert hasattr(operator, template_field), f"{name} renders {template_field}, and has none"
    parameters = inspect.signature(type(operator).__init__).parameters.values()
    assert {each.kind for each in parameters if each.name != "self"} <= {
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    }


@pytest.mark.parametrize("name", OPERATORS)
def test_arguments_are_stored_as_they_are(name: str) -> None:
    """A template is text until it is rendered: a constructor that computes with it computes with the braces."""
    given = dict.fromkeys(FIRST_ARGUMENTS[name], "{{ something }}")
    operator = make(name, **given)
    assert {key: getattr(operator, key) for key in given} == given


@pytest.mark.parametrize("name", [*OPERATORS, "ObservingNightTimetable"])
def test_public_names_and_their_parameters_are_documented(name: str) -> None:
    member = getattr(apogee_airflow, name)
    document = inspect.getdoc(member)
    assert document
    own = inspect.signature(member.__init__).parameters if "__init__" in vars(member) else {}
    for part in set(own) - {"self", "kwargs", "poke_interval"}:
        assert part in document, f"{name} does not say what {part} is"
    assert name == "ObservingNightTimetable" or member.execute.__doc__


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("ContinuumNormalizeOperator", {"length": 1400, "order": 3, "sum_axis": None}),
        (
            "TrainCannonOperator",
            {"order": 2, "regularization": 0, "regularization_path": (), "censors": {}, "scatter_rule": "restricted"},
        ),
        ("InferLabelsOperator", {"n_initialisations": 10, "use_derivatives": True}),
        ("RetainProductsOperator", {"delete": False, "policy": None}),
        ("FetchApStarOperator", {"use_remote": False}),
        ("FetchNightOperator", {"use_remote": False, "parallel": 4}),
        ("ApStarSensor", {"wait": 12, "settle_time": 600, "star": None}),
        ("ApproveModelOperator", {"answer_days": 7}),
        ("TrainingSetSensor", {"order": 2, "regularization": 0}),
    ],
)
def test_defaults_are_those_of_the_design(name: str, defaults: dict[str, Any]) -> None:
    operator = make(name)
    assert {key: getattr(operator, key) for key in defaults} == defaults


@pytest.mark.parametrize(
    ("name", "required"),
    [(name, argument) for name in OPERATORS for argument in FIRST_ARGUMENTS[name] if name != "ApStarSensor"],
)
def test_what_has_no_default_is_required(name: str, required: str) -> None:
    given = {key: value for key, value in FIRST_ARGUMENTS[name].items() if key != required}
    with pytest.raises(TypeError, match=required):
        getattr(apogee_airflow, name)(task_id="a_task", **given)
