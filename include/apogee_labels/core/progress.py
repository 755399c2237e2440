"""How far a long work is, said in the log at times."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

ProgressCallback = Callable[[int, int], None]
"""Called with how much of a work is done, and how much it is in all."""

REPORT_EVERY = 5.0
"""Seconds between two lines of progress."""


class Progress:
    """Says at most every :data:`REPORT_EVERY` seconds how much of a work is done, how fast, and how long the rest may take.

    Parameters
    ----------
    log
        The logger of the module that works.
    what
        What is counted, as the lines begin: ``batch 1 of 3, spectra``.
    total
        How much it is in all.
    """

    def __init__(self, log: logging.Logger, what: str, total: int) -> None:
        self._log, self._what, self._total, self._done = log, what, total, 0
        self._began = self._told = time.monotonic()

    def add(self, number: int = 1) -> None:
        """So much more is done."""
        self._done += number
        if (now := time.monotonic()) - self._told < REPORT_EVERY:
            return
        self._told = now
        self._log.info(
            "%s: %d of %d, %.3g/s, about %s left",
            self._what, self._done, self._total, self.rate, in_words((self._total - self._done) / self.rate),
        )  # fmt: skip

    @property
    def rate(self) -> float:
        """How much is done in a second, so far; more than 0."""
        return max(self._done, 1) / max(self.seconds, 1e-3)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began


def with_progress(items: Iterable[T], total: int, what: str, log: logging.Logger) -> Iterator[T]:
    """Hand items on, each done when the next is asked for, and say how far that is."""
    progress = Progress(log, what, total)
    for item in items:
        yield item
        progress.add()


def in_words(seconds: float) -> str:
    """A length of time as people say it.

    >>> in_words(4.2), in_words(200), in_words(3 * 3600 + 60)
    ('5 s', '3 min', '3.0 h')
    """
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class PassProgress:
    """Counts several passes over the pixels as one progress from 0 to the end.

    Parameters
    ----------
    callback
        Called with pixels times passes; None: the progress is not reported.
    n_pixels, n_passes
        Pixels of a pass, and passes in all.
    """

    def __init__(self, callback: ProgressCallback | None, n_pixels: int, n_passes: int) -> None:
        self._callback, self._n_pixels, self._n_passes, self._done = callback, n_pixels, n_passes, 0

    def within(self, done: int, total: int) -> None:
        """So many of the present pass's pixels are done."""
        if self._callback is not None:
            self._callback(self._done * self._n_pixels + done, self._n_passes * self._n_pixels)
        if done >= total:
            self._done += 1

    def next(self) -> None:
        """The present pass is done."""
        self.within(self._n_pixels, self._n_pixels)
