"""Linear algebra on one thread while the engine works, and as before afterwards."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - so that its BLAS counts from the beginning
from threadpoolctl import threadpool_info, threadpool_limits

from apogee_labels.apogee.spectra.grid import WAVELENGTH
from apogee_labels.cannon.continuum.normalization import normalize_rows
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.threads import single_threaded
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.settings import SHIPPED_REGIONS


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


def test_threads_that_overlap() -> None:
    """The first leaves while the second is within: that has one thread to its end, and then the old number is back."""
    first_is_in, second_is_in, first_is_out = (Event() for _ in range(3))
    seen: list[int] = []

    @single_threaded
    def first() -> None:
        first_is_in.set()
        assert second_is_in.wait(10)

    @single_threaded
    def second() -> None:
        seen.extend(threads())
        second_is_in.set()
        assert first_is_out.wait(10)
        seen.extend(threads())

    def lead() -> None:
        first()
        first_is_out.set()
        assert done.wait(10)  # threadpoolctl would let a living thread that was first hinder the others

    done = Event()
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        with ThreadPoolExecutor(2) as pool:
            leading = pool.submit(lead)
            assert first_is_in.wait(10)
            pool.submit(second).result()
            assert set(seen) == {1}
            assert threads() == before
            done.set()
            leading.result()
        assert set(single_threaded(threads)()) == {1}
        assert threads() == before


def test_nested_calls() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        inside = single_threaded(lambda: (single_threaded(threads)(), threads()))()
        assert set(inside[0]) == set(inside[1]) == {1}
        assert threads() == before


def test_the_limit_is_cheap() -> None:
    limited = single_threaded(lambda: None)
    limited()
    start = time.process_time()
    for _ in range(1000):
        limited()
    assert time.process_time() - start < 0.2  # 1000 stars take 2 s


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
