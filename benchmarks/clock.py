"""CPU time: what a shared machine does meanwhile does not count, nor does it hide behind a second core."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds of a work, or of one of its items: of this process's CPU, and by the clock on the wall."""

    cpu: float
    wall: float

    def over(self, number: float) -> Cost:
        """The cost of one of so many items."""
        return Cost(self.cpu / number, self.wall / number)


def cost_of(work: Callable[[], object]) -> Cost:
    """What calling `work` once takes."""
    cpu, wall = process_time(), perf_counter()
    work()
    return Cost(process_time() - cpu, perf_counter() - wall)


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds (user and system) that this process spends on calling `work` once."""
    start = process_time()
    work()
    return process_time() - start


def best_of(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the quickest of several calls: the others were disturbed."""
    return min(cpu_seconds(work) for _ in range(max(1, repeats)))


def say(text: str) -> None:
    """Tell on standard error what is going on; standard output is for the table."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
