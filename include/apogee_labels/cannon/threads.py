"""One thread for linear algebra around many small problems.

The engine solves thousands of systems of a few unknowns.  Threads of BLAS gain nothing there, and on a machine whose
cores are busy they wait for each other: training took ten times as long with two threads as with one.  The work is
spread over processes instead, a task each.

The number of threads of a BLAS is one for the process.  Where threads of Python overlap, the first to come sets it to 1,
and the last to leave sets it back.  threadpoolctl's own decorator costs the same (``make bench-own``) but
does neither: the second to come has all threads once the first has left, and afterwards there is 1 for good.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import OpenBLASController, ThreadpoolController

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
    """How many are within, and threadpoolctl's note of the numbers of threads from before the first of them."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._depth = 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self.lock:
            if not self._depth:
                _release()
                self._limiter = _controller().limit(limits=1, user_api="blas")
                _release()
            self._depth += 1

    def leave(self) -> None:
        with self.lock:
            self._depth -= 1
            if not self._depth:
                _release()
                self._limiter.restore_original_limits()
                _release()


_LIMIT = _Limit()
# A process that is forked has no other thread that could open the lock.
os.register_at_fork(before=_LIMIT.lock.acquire, after_in_parent=_LIMIT.lock.release, after_in_child=_LIMIT.lock.release)


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401 - it brings a BLAS of its own, which is found only once it is loaded

    return ThreadpoolController()


def find_libraries() -> None:
    """Look for the libraries now, so that processes which are forked from this one need not."""
    _controller()


def _release() -> None:
    """Let any thread set OpenBLAS again: threadpoolctl lets only the one that did so first."""
    getattr(OpenBLASController, "clear_controlling_thread", lambda *, force: None)(force=True)
