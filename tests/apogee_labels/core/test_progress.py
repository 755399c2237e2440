"""Lines about how far a long work is."""

from __future__ import annotations

import logging

import pytest

from apogee_labels.core import progress as subject
from apogee_labels.core.progress import Progress, in_words, with_progress

log = logging.getLogger(__name__)


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(subject, "time", clock)
    return clock


def test_it_says_at_times_how_far_it_is_how_fast_and_what_remains(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    progress = Progress(log, "spectra", 400)
    with caplog.at_level(logging.INFO, __name__):
        for _ in range(40):
            clock.now += 1.0
            progress.add(10)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 8
    assert lines[0] == "spectra: 50 of 400, 10/s, about 35 s left"
    assert lines[3] == "spectra: 200 of 400, 10/s, about 20 s left"
    assert (progress.rate, progress.seconds) == (10.0, 40.0)


def test_items_are_handed_on_and_count_when_the_next_is_asked_for(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    handed = []
    with caplog.at_level(logging.INFO, __name__):
        for item in with_progress("abc", 3, "files", log):
            handed.append(item)
            clock.now += 5.0
    assert handed == ["a", "b", "c"]
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "files: 1 of 3", "files: 2 of 3", "files: 3 of 3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.1, "5 s"), (44, "45 s"), (95, "2 min"), (3000, "50 min"), (7200, "2.0 h")]
)
def test_lengths_of_time_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
