"""Linear algebra on one thread while the engine works, and as before afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from include.apogee.grid import WAVELENGTH
from include.cannon.continuum import normalize_rows
from include.cannon.model import CannonModel
from include.cannon.threads import single_threaded
from include.cannon.training_set import TrainingSet
from include.settings import SHIPPED_REGIONS


def threads() -> list[int]:
    """Threads of every BLAS that is loaded."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_one_thread_inside_and_the_old_number_afterwards() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        assert max(before) == 2
        assert set(single_threaded(threads)()) == {1}
        assert threads() == before


def test_the_old_number_comes_back_after_an_error() -> None:
    @single_threaded
    def fails() -> None:
        raise RuntimeError("inside")

    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        with pytest.raises(RuntimeError, match="inside"):
            fails()
        assert threads() == before


def test_training_and_inference_work_on_one_thread(
    training_set: TrainingSet, model: CannonModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    solve = np.linalg.solve
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: (seen.extend(threads()), solve(a, b))[1])
    with threadpool_limits(limits=2, user_api="blas"):
        CannonModel.train(training_set, label_names=["TEFF"], order=1, latent_components=0)
        trained = len(seen)
        CannonModel(model.wavelength, model.vectorizer, model.theta, model.s2, model.training_labels).infer(
            training_set.flux[:2], training_set.ivar[:2]
        )
    assert 0 < trained < len(seen)
    assert set(seen) == {1}


def test_normalisation_works_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    solve = np.linalg.solve
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: (seen.extend(threads()), solve(a, b))[1])
    with threadpool_limits(limits=2, user_api="blas"):
        normalize_rows(WAVELENGTH, np.ones((2, len(WAVELENGTH))), np.ones((2, len(WAVELENGTH))), SHIPPED_REGIONS)
    assert set(seen) == {1}
