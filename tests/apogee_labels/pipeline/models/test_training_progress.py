"""Lines of progress."""

from __future__ import annotations

import logging

import pytest

from apogee_labels.pipeline.models import training_progress as subject
from apogee_labels.pipeline.models.training_progress import TrainingProgress


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(subject, "time", clock)
    return clock


def test_it_says_at_times_how_far_it_is_and_what_remains(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    progress = TrainingProgress("training")
    with caplog.at_level(logging.INFO, subject.__name__):
        for done in range(1, 101):
            clock.now += 1.0
            progress(done, 100)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 20
    assert lines[0] == "training: 5 %, about 2 min left"
    assert lines[9] == "training: 50 %, about 50 s left"
    assert lines[-1] == "training: 100 %"


def test_nothing_is_estimated_from_almost_nothing(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    progress = TrainingProgress("choosing Lambda")
    clock.now += 60.0
    with caplog.at_level(logging.INFO, subject.__name__):
        progress(1, 1000)
    assert [record.getMessage() for record in caplog.records] == ["choosing Lambda: 0 %"]
