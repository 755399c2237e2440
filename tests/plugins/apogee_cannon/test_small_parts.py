"""Subjects, pools, retries and training parameters."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy

from apogee_cannon import subjects, templated
from apogee_cannon.pools import BACKFILL_POOL, FILES_POOL, REANALYSIS_POOL, TRAINING_POOL, pools
from apogee_cannon.retries import RETRIES
from apogee_cannon.subjects import star_of, subject_of
from apogee_cannon.templated import rendered_axis
from apogee_cannon.training_parameters import training_parameters
from include.apogee.fetch import FetchError
from include.errors import BadInputError, Reason

ROOT = Path(__file__).resolve().parents[3]


def test_the_examples_of_subjects_are_true() -> None:
    assert doctest.testmod(subjects) == doctest.TestResults(failed=0, attempted=2)


def test_axes_and_switches_are_what_they_mean_however_they_are_rendered() -> None:
    assert doctest.testmod(templated) == doctest.TestResults(failed=0, attempted=3)
    assert [rendered_axis(value) for value in ("", 0, "0")] == [None, 0, 0]
    with pytest.raises(ValueError, match="both"):
        rendered_axis("both")


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
    command = [sys.executable, "-m", "apogee_cannon.pools"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}", "AIRFLOW__CORE__PARALLELISM": "8"}
    printed = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert printed == pools(slots=8)
    assert set(printed) == {FILES_POOL, BACKFILL_POOL, REANALYSIS_POOL, TRAINING_POOL}
    assert printed[TRAINING_POOL]["slots"] == 1, "two trainings at once are out of memory"
    for pool in printed.values():
        assert type(pool["slots"]) is int
        assert pool["description"]
        assert pool["include_deferred"] is False


def test_a_backfill_leaves_slots_free_wherever_there_is_more_than_one() -> None:
    sizes = [pools(slots)[BACKFILL_POOL]["slots"] for slots in (1, 2, 4, 16, 32)]
    assert sizes == [1, 1, 3, 12, 24]


def test_a_reanalysis_leaves_half_of_the_slots_free_wherever_there_is_more_than_one() -> None:
    sizes = [pools(slots)[REANALYSIS_POOL]["slots"] for slots in (1, 2, 4, 16, 32)]
    assert sizes == [1, 1, 2, 8, 16]


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
    parameters = training_parameters(names, "2", "1e3")
    assert (parameters.label_names, parameters.order, parameters.regularization) == (
        ("TEFF", "LOGG", "FE_H"),
        2,
        1000.0,
    )
    assert parameters.as_json() == training_parameters(["TEFF", "LOGG", "FE_H"], 2, 1000).as_json()


@pytest.mark.parametrize(
    ("names", "order", "strength"), [("", 2, 0), ("[]", 2, 0), ("TEFF", "two", 0), ("TEFF", 2, "x")]
)
def test_training_parameters_that_are_none_are_refused(names: str, order: int | str, strength: float | str) -> None:
    with pytest.raises(ValueError, match=r"label_names|two|x"):
        training_parameters(names, order, strength)
