"""Subjects, pools, retries and training parameters."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy

from apogee_airflow import subjects, templated
from apogee_airflow.pools import BACKFILL_POOL, FILES_POOL, REANALYSIS_POOL, TRAINING_POOL, pools
from apogee_airflow.retries import RETRIES
from apogee_airflow.subjects import star_of, subject_of
from apogee_labels.apogee.download.fetch import FetchError
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.pipeline.parameters import NormalizationParameters, TrainingParameters


def test_the_examples_of_subjects_are_true() -> None:
    assert doctest.testmod(subjects) == doctest.TestResults(failed=0, attempted=2)


def test_axes_and_switches_are_what_they_mean_however_they_are_rendered() -> None:
    assert doctest.testmod(templated) == doctest.TestResults(failed=0, attempted=1)
    axes = [NormalizationParameters(regions=SHIPPED_REGIONS, sum_axis=value).sum_axis for value in ("", "None", 0, "0")]
    assert axes == [None, None, 0, 0]
    with pytest.raises(ValueError, match=r"sum_axis: expected a valid integer.*, got 'both'"):
        NormalizationParameters(regions=SHIPPED_REGIONS, sum_axis="both")
    with pytest.raises(ValueError, match="expected true or false, got 'both'"):
        templated.is_on("both")


@pytest.mark.parametrize(
    ("path", "star"),
    [
        ("/sas/apStar-dr17-2M16505794-2118004.fits", "2M16505794-2118004"),
        ("asStar-dr17-AP17182345+2118004.fits", "AP17182345+2118004"),
        ("apStar-1.3-apo25m-2M00000000+0000000.fits", "2M00000000+0000000"),
        ("apStar-r12-VESTA.fits", "apStar-r12-VESTA"),
    ],
)
def test_a_star_is_found_in_a_file_name(path: str, star: str) -> None:
    assert star_of(path) == star


def test_a_subject_names_one_star_or_counts_them() -> None:
    assert [subject_of(stars) for stars in (["a"], ["a", "b", "c"], [])] == ["a", "3 files from a", "no files"]


def test_pools_print_as_airflow_imports_them() -> None:
    """`airflow pools import` wants of each an integer and a text, and reads whether deferred tasks count."""
    command = [Path(sys.executable).with_name("apogee-labels"), "pools"]
    environment = os.environ | {"AIRFLOW__CORE__PARALLELISM": "8"}
    printed = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert printed == pools(slots=8)
    assert set(printed) == {FILES_POOL, BACKFILL_POOL, REANALYSIS_POOL, TRAINING_POOL}
    assert printed[TRAINING_POOL]["slots"] == 1, "two trainings at once are out of memory"
    for pool in printed.values():
        assert type(pool["slots"]) is int
        assert pool["description"]
        assert pool["include_deferred"] is False


def test_a_backfill_and_a_reanalysis_together_leave_a_quarter_of_the_slots_free() -> None:
    sizes = [tuple(pools(n)[name]["slots"] for name in (BACKFILL_POOL, REANALYSIS_POOL)) for n in (1, 2, 3, 4, 16, 32)]
    assert sizes == [(1, 1), (1, 1), (1, 1), (2, 1), (8, 4), (16, 8)]


@pytest.mark.parametrize(
    ("error", "fails"),
    [
        (OSError("disk"), False),
        (FetchError("cut"), False),
        (ConnectionResetError("network"), False),
        (TimeoutError("slow"), False),
        (ValueError("fault"), True),
        (BadInputError(Reason.EMPTY, "bad"), True),
        (TypeError("fault"), True),
        (KeyError("fault"), True),
        (ImportError("fault"), True),
        (PermissionError("fault"), True),
    ],
)
def test_trouble_is_tried_again_and_faults_are_not(error: Exception, fails: bool) -> None:
    policy: ExceptionRetryPolicy = RETRIES["retry_policy"]
    for each in (policy, ExceptionRetryPolicy.deserialize(policy.serialize())):
        decision = each.evaluate(error, try_number=1, max_tries=3)
        assert (decision.action is RetryAction.FAIL) == fails
    assert RETRIES["retries"] >= 1


def test_a_database_that_is_away_is_tried_again() -> None:
    from sqlalchemy.exc import OperationalError

    error = OperationalError("SELECT 1", None, Exception("database is locked"))
    assert RETRIES["retry_policy"].evaluate(error, 1, 3).action is not RetryAction.FAIL


@pytest.mark.parametrize(
    "names",
    ["TEFF,LOGG,FE_H", "TEFF LOGG FE_H", "TEFF, LOGG,  FE_H", ["TEFF", "LOGG", "FE_H"], "['TEFF', 'LOGG', 'FE_H']",
     '["TEFF", "LOGG", "FE_H"]', ("TEFF", "LOGG", "FE_H")],
)  # fmt: skip
def test_training_parameters_are_typed_whatever_a_template_gives(names: str | list[str]) -> None:
    parameters = TrainingParameters(label_names=names, order="2", regularization="1e3")
    assert (parameters.label_names, parameters.order, parameters.regularization) == (
        ("TEFF", "LOGG", "FE_H"),
        2,
        1000.0,
    )
    assert (
        parameters.as_json() == TrainingParameters(label_names=("TEFF", "LOGG", "FE_H"), regularization=1000).as_json()
    )


@pytest.mark.parametrize("path", [[10, 100.0], "10, 100", "[10, 100]", "['10', '100']", ("10", 1e2)])
@pytest.mark.parametrize(
    "censors",
    [{"FE_H": [[15200, 15300.0]]}, '{"FE_H": [[15200, 15300]]}', "{'FE_H': [[15200, 15300]]}",
     {"FE_H": (("15200", 15300),)}],
)  # fmt: skip
def test_hyper_parameters_are_typed_whatever_a_template_gives(path: Any, censors: Any) -> None:
    given: dict[str, Any] = {"regularization_path": path, "censors": censors, "scatter_rule": "median"}
    parameters = TrainingParameters(label_names="TEFF,FE_H", order=2, regularization="0", **given)
    assert parameters.regularization_path == (10.0, 100.0)
    assert parameters.censors == {"FE_H": ((15200.0, 15300.0),)}
    assert parameters.scatter_rule == "median"


@pytest.mark.parametrize("nothing", [None, "", "None", "[]", "{}"])
def test_hyper_parameters_that_are_not_given_are_the_defaults(nothing: Any) -> None:
    path = () if nothing == "{}" else nothing
    censors = None if nothing == "[]" else nothing
    given: dict[str, Any] = {"regularization_path": path, "censors": censors, "scatter_rule": None}
    assert TrainingParameters(label_names=("TEFF",), **given) == TrainingParameters(label_names=("TEFF",))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"regularization_path": "10, many"},
            r"regularization_path: expected a valid number, .*such as \[10, 100, 1000\], got 'many'",
        ),
        ({"regularization_path": 10}, r"regularization_path: expected a list, such as \[10, .*, got 10"),
        ({"censors": "FE_H: 15200-15300"}, r'censors: expected an object, such as \{"FE_H".*, got'),
        ({"censors": [[15200, 15300]]}, "censors: expected an object, such as"),
        ({"censors": {"FE_H": [15200, 15300]}}, r"censors of FE_H: expected a list, such as .*15300.*, got 15200"),
        ({"censors": {"FE_H": [[15200]]}}, r"censors of FE_H: expected a longer list, such as"),
        ({"censors": {"LOGG": [[15200, 15300]]}}, "censors: expected labels of FE_H, got LOGG"),
        ({"scatter_rule": "mean"}, "scatter_rule: expected 'restricted', 'likelihood' or 'median', got 'mean'"),
        ({"regularization": 1, "regularization_path": [1, 2]}, "expected regularization 0 beside it, got 1"),
    ],
)
def test_nonsense_names_what_was_expected(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        TrainingParameters(**{"label_names": "FE_H", "order": 2, "regularization": 0} | given)


def test_the_form_knows_the_engine_s_scatter_rules() -> None:
    from apogee_labels.cannon.training.scatter import ScatterRule

    assert {str(rule) for rule in ScatterRule} == set(
        get_args(TrainingParameters.model_fields["scatter_rule"].annotation)
    )


def test_too_little_memory_is_not_tried_again() -> None:
    from apogee_labels.pipeline.models.training_memory import NotEnoughMemoryError

    policy: ExceptionRetryPolicy = RETRIES["retry_policy"]
    for each in (policy, ExceptionRetryPolicy.deserialize(policy.serialize())):
        assert each.evaluate(NotEnoughMemoryError("8 GB"), 1, 3).action is RetryAction.FAIL
        assert each.evaluate(MemoryError(), 1, 3).action is not RetryAction.FAIL


@pytest.mark.parametrize(
    ("names", "order", "strength"), [("", 2, 0), ("[]", 2, 0), ("TEFF", "two", 0), ("TEFF", 2, "x")]
)
def test_training_parameters_that_are_none_are_refused(names: str, order: int | str, strength: float | str) -> None:
    with pytest.raises(ValueError, match=r"label_names|two|x"):
        TrainingParameters(label_names=names, order=order, regularization=strength)
