"""The locks: exact pins and nothing else, of all that is asked for, and agreeing with each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.locks import DEV_LOCK, LOCK, pins, wanted


@pytest.mark.parametrize("lock", [LOCK, DEV_LOCK], ids=lambda path: path.name)
def test_lock_has_only_pins_and_says_how_it_was_made(lock: Path) -> None:
    assert pins(lock)
    text = lock.read_text(encoding="utf-8")
    assert "make lock" in text.split("==")[0]
    assert "://" not in text
    assert "--" not in text


@pytest.mark.parametrize(
    "line",
    ["numpy", "numpy>=2", "numpy==2.*", "--index-url https://x.org", "numpy @ file:///x", "-e .", "numpy==2 --hash=x"],
)
def test_line_that_is_no_pin_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "lock.txt").write_text(f"# made by hand\n{line}\n")
    with pytest.raises(ValueError, match=r"lock\.txt:2: expected name==version"):
        pins(tmp_path / "lock.txt")


@pytest.mark.parametrize("lock", [LOCK, DEV_LOCK], ids=lambda path: path.name)
def test_lock_has_what_is_asked_for(lock: Path) -> None:
    locked = pins(lock)
    for requirement in wanted(lock.with_suffix(".in")):
        versions = [version for (name, _), version in locked.items() if name == canonicalize_name(requirement.name)]
        assert versions, f"{requirement.name} is not in {lock.name}: run make lock"
        assert all(requirement.specifier.contains(Version(version)) for version in versions), requirement


def test_locks_agree() -> None:
    main = pins(LOCK)
    versions = {name: {found for (other, _), found in main.items() if other == name} for name, _ in main}
    contradicting = {
        name: version for (name, _), version in pins(DEV_LOCK).items() if version not in versions.get(name, {version})
    }
    assert contradicting == {}
