"""How far a training is, said in the log at times, and when it may end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

REPORT_EVERY = 5.0
"""Seconds between two lines of progress."""
SIGN_EVERY = 30.0
"""Seconds between two signs of life."""
LEAST_SHARE = 0.02
"""Share of the work from which on the rest is estimated."""


class TrainingProgress:
    """Says at most every :data:`REPORT_EVERY` seconds how far a work is and how long the rest may take.

    Parameters
    ----------
    what
        What is being done, as the lines begin.
    alive
        Called at most every :data:`SIGN_EVERY` seconds; None: not at all.
    """

    def __init__(self, what: str, alive: Callable[[], None] | None = None) -> None:
        self.what, self.alive = what, alive
        self.began = self.last = self.signed = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """So much is done, of so much in all."""
        now = time.monotonic()
        if self.alive is not None and now - self.signed >= SIGN_EVERY:
            self.signed = now
            self.alive()
        if now - self.last >= REPORT_EVERY:
            self.last = now
            log.info("%s: %d %%%s", self.what, 100 * done // total, self._rest(now, done / total))

    def _rest(self, now: float, share: float) -> str:
        """The time that remains if all goes on as it went, in words; empty at the beginning and at the end."""
        if not LEAST_SHARE <= share < 1.0:
            return ""
        return f", about {in_words((now - self.began) * (1.0 - share) / share)} left"


def in_words(seconds: float) -> str:
    """A length of time as people say it.

    >>> in_words(4.2), in_words(200), in_words(3 * 3600 + 60)
    ('5 s', '3 min', '3.0 h')
    """
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
