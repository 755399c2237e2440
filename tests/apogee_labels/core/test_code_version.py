"""The version of the code: the same for the same files, another for any change, and cheap."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from pathlib import Path

import pytest

from apogee_labels import __version__
from apogee_labels.core.code_version import PACKAGE, code_version, digest_of_source


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package somewhere else, with what Python leaves beside it."""
    return Path(shutil.copytree(PACKAGE, tmp_path / "elsewhere"))


def test_it_says_the_release_and_the_source() -> None:
    assert re.fullmatch(rf"{re.escape(__version__)}\+[0-9a-f]{{12}}", code_version())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(PACKAGE)}\n"
        for path in sorted(PACKAGE.rglob("*.py"), key=lambda path: str(path.relative_to(PACKAGE)))
    ]
    assert digest_of_source(PACKAGE) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_same_files_elsewhere_are_the_same_version(copy: Path) -> None:
    (copy / "notes.txt").write_text("no code")
    assert digest_of_source(copy) == digest_of_source(PACKAGE)


@pytest.mark.parametrize("change", ["content", "name", "new"])
def test_any_change_is_another_version(copy: Path, change: str) -> None:
    before, path = digest_of_source(copy), copy / "cannon" / "model.py"
    if change == "content":
        path.write_text(path.read_text() + "\n")
    elif change == "name":
        path.rename(path.with_name("models.py"))
    else:
        (copy / "cannon" / "new.py").touch()
    assert digest_of_source(copy) != before


def test_it_is_computed_once_and_quickly() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        digest_of_source(PACKAGE)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 0.05, "some 10 ms on an idle machine, and once a process"
    assert code_version() is code_version()
