"""How far a training is, said in the log at times, and when it may end."""

from __future__ import annotations

import logging
import time

from apogee_labels.core.progress import REPORT_EVERY, in_words

log = logging.getLogger(__name__)

LEAST_SHARE = 0.02
"""Share of the work from which on the rest is estimated."""


class TrainingProgress:
    """Says at most every :data:`REPORT_EVERY` seconds how far a work is and how long the rest may take.

    Parameters
    ----------
    what
        What is being done, as the lines begin.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.began = self.last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """So much is done, of so much in all."""
        now = time.monotonic()
        if now - self.last >= REPORT_EVERY:
            self.last = now
            log.info("%s: %d %%%s", self.what, 100 * done // total, self._rest(now, done / total))

    def _rest(self, now: float, share: float) -> str:
        """The time that remains if all goes on as it went, in words; empty at the beginning and at the end."""
        if not LEAST_SHARE <= share < 1.0:
            return ""
        return f", about {in_words((now - self.began) * (1.0 - share) / share)} left"
