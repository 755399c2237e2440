"""Bad input is a labelled skip; trouble that may pass is raised, after the other files."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from apogee_airflow.outcomes import Batch, bad_input_fails, bad_input_skips, each_file, finish
from apogee_labels.core.errors import BadInputError, Reason


def upper(path: str) -> str:
    if "bad" in path:
        raise BadInputError(Reason.EMPTY, "expected bytes, got none")
    if "disk" in path:
        raise OSError("the disk is busy")
    return path.upper()


def test_every_file_is_tried() -> None:
    batch = each_file(["/x/disk.fits", "/x/bad.fits", "/x/a", "/x/b"], upper)
    assert batch.done == ["/X/A", "/X/B"]
    assert batch.rejected == ["bad.fits: empty"]
    (error,) = batch.errors
    assert error.__notes__ == ["while processing /x/disk.fits"]


def test_interrupts_are_not_kept_for_the_end() -> None:
    def stop(_: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each_file(["a"], stop)


@pytest.mark.parametrize(
    ("batch", "label"),
    [
        (Batch(done=["1"]), "star"),
        (Batch(done=["1"], rejected=["a.fits: empty"]), "star: 1 rejected"),
        (Batch(done=["1"], rejected=["a.fits: empty", "b.fits: missing"]), "star: 2 rejected"),
        (Batch(), "star"),
    ],
)
def test_the_label_tells_what_was_rejected(batch: Batch[str], label: str) -> None:
    context: Any = {}
    assert finish(batch, context, "star") == batch.done
    assert context["label"] == label


def test_all_rejected_is_a_skip() -> None:
    context: Any = {}
    with pytest.raises(AirflowSkipException, match=r"all of 2 file\(s\) rejected"):
        finish(Batch(rejected=["a.fits: empty", "b.fits: missing"]), context, "2 files")
    assert context["label"] == "2 files: 2 rejected"


def test_a_single_rejected_file_shows_its_reason() -> None:
    context: Any = {}
    with pytest.raises(AirflowSkipException):
        finish(Batch(rejected=["a.fits: empty"]), context, "star")
    assert context["label"] == "star: empty"


def test_an_error_goes_before_a_skip() -> None:
    """A retry must find the task failed: a skip would hide that a file is unfinished."""
    with pytest.raises(OSError, match="busy"):
        finish(Batch(rejected=["a.fits: empty"], errors=[OSError("busy")]), {}, "star")


def test_bad_input_skips_with_its_reason_and_nothing_else_does() -> None:
    context: Any = {}
    with pytest.raises(AirflowSkipException, match="expected bytes") as caught, bad_input_skips(context, "star"):
        upper("bad")
    assert context["label"] == "star: empty"
    assert caught.value.__suppress_context__, "one line in the log, not two stack traces"
    with pytest.raises(OSError, match="busy"), bad_input_skips(context, "star"):
        upper("disk")
    assert context["label"] == "star"


def test_a_model_that_is_bad_fails_once_with_its_reason() -> None:
    context: Any = {"label": "star"}
    with pytest.raises(AirflowFailException, match="star: expected bytes"), bad_input_fails(context, "star"):
        upper("bad")
    assert context["label"] == "star: empty"
    with pytest.raises(OSError, match="busy"), bad_input_fails(context, "star"):
        upper("disk")
