"""One thread for linear algebra around many small problems.

The engine solves thousands of systems of a few unknowns.  Threads of BLAS gain nothing there, and on a machine whose
cores are busy they wait for each other: training took ten times as long with two threads as with one.  The work is
spread over processes instead, a task each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with BLAS on one thread; the number of before comes back, whatever happens."""

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _libraries().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that are loaded; to look for them takes as long as to fit a star."""
    return ThreadpoolController()
