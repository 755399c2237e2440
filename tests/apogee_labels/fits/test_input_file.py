"""What has the name of a spectrum and is none is refused at once, and no handle stays open."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.fits.input_file import LARGEST, read_content, read_start


def _open_handles() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def _directory(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere.fits")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def _socket(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket has a short limit
    try:
        server.bind(path.name)
    finally:
        os.chdir(here)
        server.close()


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _too_large(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(LARGEST + 1)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("read", [read_content, lambda path: read_start(path, 2880)], ids=["whole", "start"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, Reason.MISSING),
        (_link_to_nowhere, Reason.MISSING),
        (_directory, Reason.NOT_A_FILE),
        (_pipe, Reason.NOT_A_FILE),
        (_socket, Reason.NOT_A_FILE),
        (_device, Reason.NOT_A_FILE),
        (_link_to_itself, Reason.NOT_A_FILE),
        (Path.touch, Reason.EMPTY),
    ],
)
def test_what_is_no_file_with_content(
    tmp_path: Path, make: Callable[[Path], None], reason: Reason, read: Callable[[Path], bytes]
) -> None:
    path = tmp_path / "apStar-dr17-x.fits"
    make(path)
    before = _open_handles()
    with pytest.raises(BadInputError) as caught:
        read(path)
    assert caught.value.reason is reason
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert _open_handles() == before


def test_a_file_too_large_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.fits"
    _too_large(path)
    with pytest.raises(BadInputError, match="at most 1073741824 bytes, got 1073741825"):
        read_content(path)


def test_a_file_in_the_place_of_a_folder_is_missing(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(BadInputError) as caught:
        read_content(tmp_path / "folder" / "apStar.fits")
    assert caught.value.reason is Reason.MISSING


def test_trouble_that_may_pass_is_not_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        read_content(tmp_path / "apStar.fits")


def test_content_and_its_start(tmp_path: Path) -> None:
    path = tmp_path / "some.fits"
    path.write_bytes(bytes(range(200)))
    assert read_content(path) == bytes(range(200))
    assert read_start(path, 10) == bytes(range(10))
    assert read_start(path, 1000) == bytes(range(200))
