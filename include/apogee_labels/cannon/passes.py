"""How far a long work is that goes over the pixels several times."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with what is done and the total, in pixels times passes."""


class Passes:
    """Counts passes over the pixels, as one progress from 0 to the end.

    Parameters
    ----------
    report
        Who wants to know; None: nobody.
    n_pixels, n_passes
        Pixels of a pass, and passes in all.
    """

    def __init__(self, report: Progress | None, n_pixels: int, n_passes: int) -> None:
        self._report, self._n_pixels, self._n_passes, self._done = report, n_pixels, n_passes, 0

    def within(self, done: int, total: int) -> None:
        """So many of the present pass's pixels are done."""
        if self._report is not None:
            self._report(self._done * self._n_pixels + done, self._n_passes * self._n_pixels)
        if done >= total:
            self._done += 1

    def next(self) -> None:
        """The present pass is done."""
        self.within(self._n_pixels, self._n_pixels)
