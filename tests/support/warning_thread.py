"""A thread that warns all the time, beside what is tested."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event


@contextmanager
def thread_that_warns() -> Iterator[list[int]]:
    """Warnings are ignored meanwhile; afterwards the list holds how many there were, unless one was raised in the thread."""
    stop, counts = Event(), list[int]()

    def warn() -> int:
        number = 0
        while not stop.is_set():
            warnings.warn(f"number {number}", UserWarning, stacklevel=1)
            number += 1
        return number

    with warnings.catch_warnings(), ThreadPoolExecutor(1) as beside:
        warnings.simplefilter("ignore")
        warning = beside.submit(warn)
        try:
            yield counts
        finally:
            stop.set()
        counts.append(warning.result())
