"""The vocabulary of bad input."""

from __future__ import annotations

import pickle

import pytest

from apogee_labels.core.errors import BadInputError, Reason


@pytest.mark.parametrize("reason", Reason)
def test_bad_input_survives_the_way_between_processes(reason: Reason) -> None:
    error = pickle.loads(pickle.dumps(BadInputError(reason, "expected bytes, got none")))
    assert type(error) is BadInputError
    assert error.reason is reason
    assert error.message == str(error) == "expected bytes, got none"


def test_a_reason_is_what_the_catalogue_stores() -> None:
    """Renaming a value orphans what is stored: add one, never change one."""
    assert [str(reason) for reason in Reason] == [
        "missing", "not_a_file", "empty", "unreadable", "wrong_layout", "wrong_grid", "no_visits", "no_information",
        "no_continuum", "bad_training_set", "bad_model", "not_at_remote",
    ]  # fmt: skip


def test_bad_input_is_no_trouble_that_may_pass() -> None:
    assert issubclass(BadInputError, ValueError)
    assert not issubclass(BadInputError, OSError)
