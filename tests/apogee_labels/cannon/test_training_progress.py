"""Progress goes from 0 to the end, once, whatever is done on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.progress import PassProgress
from tests.apogee_labels.cannon.universe import Universe


class Listener:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.heard.append((done, total))

    def check(self, total: int) -> None:
        done = [step for step, _ in self.heard]
        assert {whole for _, whole in self.heard} == {total}
        assert done == sorted(done)
        assert done[-1] == total
        assert done.count(total) == 1


def test_passes_follow_each_other() -> None:
    listener = Listener()
    passes = PassProgress(listener, 100, 3)
    for done in (64, 100):
        passes.within(done, 100)
    passes.next()
    for done in (50, 100):
        passes.within(done, 100)
    assert [done for done, _ in listener.heard] == [64, 100, 200, 250, 300]
    listener.check(300)


def test_without_a_callback_nothing_is_reported() -> None:
    passes = PassProgress(None, 10, 2)
    passes.within(10, 10)
    passes.next()


@pytest.mark.parametrize(
    ("count", "arguments", "passes"),
    [
        (400, {"validate": False}, 1),
        (400, {"validate": False, "latent_components": 2}, 2),
        (400, {"latent_components": 0}, 5),
        (400, {"latent_components": 2}, 6),
        (300, {}, 7),
        (220, {}, 6),
        (150, {}, 5),
        (35, {}, 1),
        (400, {"regularization": 100.0}, 5),
        (400, {"scatter": np.full(240, 0.01), "censors": {"FE_H": [(15500.0, 16000.0)]}}, 5),
    ],
)
def test_training_is_heard_to_its_end(universe: Universe, count: int, arguments: dict[str, Any], passes: int) -> None:
    listener = Listener()
    stars = universe.training_set(np.random.default_rng(91), count)
    CannonModel.train(stars, progress=listener, **arguments)
    listener.check(240 * passes)
    assert len(listener.heard) >= 3 * (passes - 4 * (passes > 4))


def test_listening_changes_nothing(training_set: TrainingSet, model: CannonModel) -> None:
    np.testing.assert_array_equal(CannonModel.train(training_set, progress=Listener()).theta, model.theta)
