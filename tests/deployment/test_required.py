"""A test that lacks what it needs is skipped at a desk and fails in continuous integration."""

from __future__ import annotations

import pytest

from tests.support.required import in_ci, require


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("", False), ("0", False), ("False", False)]
)
def test_ci_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("CI", value)
    assert in_ci() is expected


def outcome_of_missing_need() -> type[BaseException]:
    # Both are caught, or a skip in the place of a failure would only skip the test.
    with pytest.raises((pytest.skip.Exception, pytest.fail.Exception), match="no chromium") as raised:
        require(None, "no chromium")
    return raised.type


def test_missing_need_skips_at_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert outcome_of_missing_need() is pytest.skip.Exception


def test_missing_need_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert outcome_of_missing_need() is pytest.fail.Exception


def test_need_that_is_met_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    require("/usr/bin/chromium", "no chromium")
