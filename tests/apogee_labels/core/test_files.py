"""Nobody ever sees half a file, and no path leaves its root."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from apogee_labels.core.files import atomic_write


def test_the_file_has_its_name_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.fits"
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"whole")
        assert temporary.parent == path.parent, "a rename is atomic in one file system only"
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".part"
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, fault: type[BaseException]) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(b"old")
    with pytest.raises(fault), atomic_write(path) as temporary:  # noqa: PT012 - the block is the subject
        temporary.write_bytes(b"half")
        raise fault
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_reader_meanwhile_sees_one_whole_file_or_the_other(tmp_path: Path) -> None:
    path, contents = tmp_path / "a.fits", {bytes([number]) * 200_000 for number in range(2)}
    path.write_bytes(next(iter(contents)))
    seen, done = set[bytes](), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        for content in contents:
            with atomic_write(path) as temporary, temporary.open("wb") as stream:
                for first in range(0, len(content), 50_000):
                    stream.write(content[first : first + 50_000])
                    stream.flush()
    done.set()
    reader.join()
    assert seen <= contents


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    with atomic_write(path) as first, atomic_write(path) as second:
        assert first != second
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_product_is_readable_as_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "a") as temporary:
            temporary.write_bytes(b"x")
        assert os.umask(umask) == umask, "the umask is left as it was"
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_a_block_that_writes_nothing_makes_an_empty_file_and_one_that_deletes_fails(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_bytes() == b""
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "b") as temporary:
        temporary.unlink()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(("durable", "syncs"), [(True, 2), (False, 0)])
def test_the_disk_is_waited_for_unless_the_file_can_be_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, syncs: int
) -> None:
    waited = list[int]()
    monkeypatch.setattr(os, "fsync", waited.append)
    with atomic_write(tmp_path / "a.fits", durable=durable) as temporary:
        temporary.write_bytes(b"whole")
    assert len(waited) == syncs, "the file and its folder"
    assert (tmp_path / "a.fits").read_bytes() == b"whole"
