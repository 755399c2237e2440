"""What a test needs of its machine: a reason to skip at a desk, a failure in continuous integration."""

from __future__ import annotations

import os

import pytest


def in_ci() -> bool:
    """Tell whether this is continuous integration, by the variable ``CI`` that every such service sets."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


def require(condition: object, reason: str) -> None:
    """Skip the running test when something it needs is not there; in continuous integration fail it instead.

    A skip that nobody reads is a test that does not exist, hence the difference.

    Parameters
    ----------
    condition
        True when what the test needs is there.
    reason
        What is missing and how to get it, in one line.

    Raises
    ------
    pytest.skip.Exception
        The condition does not hold, at a desk.
    pytest.fail.Exception
        The condition does not hold, in continuous integration.
    """
    if condition:
        return
    if in_ci():
        pytest.fail(f"{reason} (in continuous integration nothing may be skipped)", pytrace=False)
    pytest.skip(reason)
