"""Warnings become errors in one thread, while others see nothing of it."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from apogee_labels.core.thread_warnings import raised_in_this_thread


class MildWarning(UserWarning):
    pass


def complain(kind: type[Warning] = UserWarning) -> str:
    warnings.warn("a fault", kind, stacklevel=1)
    return "went on"


@pytest.fixture(autouse=True)
def shown() -> object:
    """What is shown, as Python has it by default: once for a place in the code."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        yield shown


def test_they_are_errors_within_and_not_after(shown: list[object]) -> None:
    filters = [*warnings.filters]
    with pytest.raises(UserWarning, match="a fault"), raised_in_this_thread():
        complain()
    assert warnings.filters == filters
    assert complain() == "went on"
    assert len(shown) == 1


def test_what_was_shown_before_is_an_error_still() -> None:
    for _ in range(2):
        assert complain() == "went on"
        with pytest.raises(UserWarning), raised_in_this_thread():
            complain()


def test_one_kind_is_ignored(shown: list[object]) -> None:
    with raised_in_this_thread(but=MildWarning):
        assert complain(MildWarning) == "went on"
        with pytest.raises(UserWarning):
            complain()
    assert not shown


def test_blocks_within_blocks() -> None:
    filters = [*warnings.filters]
    with raised_in_this_thread():
        with raised_in_this_thread(but=MildWarning):
            assert complain(MildWarning) == "went on"
        with pytest.raises(MildWarning):
            complain(MildWarning)
    assert warnings.filters == filters


def test_another_thread_sees_nothing_of_it(shown: list[object]) -> None:
    with ThreadPoolExecutor(1) as pool, raised_in_this_thread():
        assert pool.submit(complain, MildWarning).result() == "went on"
        with pytest.raises(UserWarning):
            complain()
    assert len(shown) == 1


def test_blocks_that_overlap_leave_the_filters_as_they_were() -> None:
    """The first to enter is the first to leave, which is where ``catch_warnings`` leaves the other's filters for good."""
    filters = [*warnings.filters]
    entered, leave = Event(), Event()

    def first() -> None:
        with raised_in_this_thread():
            entered.set()
            assert leave.wait(10)

    thread = Thread(target=first)
    thread.start()
    assert entered.wait(10)
    with raised_in_this_thread():
        leave.set()
        thread.join()
        with pytest.raises(UserWarning):
            complain()
    assert warnings.filters == filters


def test_who_copied_the_filters_meanwhile_is_not_affected_later() -> None:
    block, other = raised_in_this_thread(), warnings.catch_warnings()
    block.__enter__()
    other.__enter__()
    block.__exit__(None, None, None)
    assert complain() == "went on"
    filters = [*warnings.filters]
    other.__exit__(None, None, None)
    assert warnings.filters == filters
    assert complain(MildWarning) == "went on"
