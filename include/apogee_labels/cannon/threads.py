"""One thread for linear algebra around many small problems.

The engine solves thousands of systems of a few unknowns.  Threads of BLAS gain nothing there, and on a machine whose
cores are busy they wait for each other: training took ten times as long with two threads as with one.  The work is
spread over processes instead, a task each.

The number of threads of a BLAS is one for the process.  Where threads of Python overlap, the first to come sets it to 1,
and the last to leave sets it back.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with BLAS on one thread; the number of before comes back, whatever happens."""

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        _LIMIT.enter()
        try:
            return function(*args, **kwargs)
        finally:
            _LIMIT.leave()

    return limited


class _Limit:
    """How many are within, and the numbers of threads from before the first of them."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._depth = 0
        self._before: list[tuple[Any, int]] = []

    def enter(self) -> None:
        with self.lock:
            if not self._depth:
                before = [(library, library.get_num_threads()) for library in _libraries()]
                self._before = [(library, number) for library, number in before if number != 1]
                for library, _ in self._before:
                    _set_threads(library, 1)
            self._depth += 1

    def leave(self) -> None:
        with self.lock:
            self._depth -= 1
            if not self._depth:
                for library, number in self._before:
                    _set_threads(library, number)


_LIMIT = _Limit()
# A process that is forked has no other thread that could open the lock.
os.register_at_fork(before=_LIMIT.lock.acquire, after_in_parent=_LIMIT.lock.release, after_in_child=_LIMIT.lock.release)


def find_libraries() -> None:
    """Look for the libraries now, so that processes which are forked from this one need not."""
    _libraries()


@cache
def _libraries() -> list[Any]:
    """The libraries that are loaded; to look for them takes as long as to fit a star."""
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def _set_threads(library: Any, number: int) -> None:
    """Set the number of threads of a library.

    threadpoolctl lets only the thread that was first set that of OpenBLAS, and ignores others: here any thread may be the
    last to leave.
    """
    release = getattr(library, "clear_controlling_thread", lambda *, force: None)
    release(force=True)
    library.set_num_threads(number)
    release(force=True)
