"""A transfer that breaks off goes on where it stopped, if the server still has the same content, and never otherwise."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.download.fetch import FetchError, fetch_apstar, is_at_remote
from apogee_labels.core.errors import BadInputError, Reason
from tests.support.archive_server import Remote, serve

KEYS = ApStarKeys(release="dr17", apred="dr17", telescope="apo25m", field="000+14", obj="2M16505794-2118004")
OLD, NEW = "Sat, 06 Mar 2021 10:00:00 GMT", "Sun, 07 Mar 2021 10:00:00 GMT"
CUT = 100_000


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Remote]:
    """A server that goes on with a part, as RFC 9110 says."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve() as remote:
        remote.ranges, remote.etag = "honoured", '"one"'
        yield remote


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "sas", "dr17", "dr17")


@pytest.fixture
def url_path(archive: Archive) -> str:
    return f"/sas/{archive.path(KEYS).relative_to(archive.root)}"


@pytest.fixture
def served(remote: Remote, url_path: str, build_apstar: Callable[..., bytes]) -> bytes:
    remote.files[url_path] = build_apstar("dr17", 2)
    return remote.files[url_path]


def fetch(remote: Remote, archive: Archive) -> bytes:
    path = fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert [*path.parent.iterdir()] == [path], "something is left beside the file"
    return path.read_bytes()


def break_off(remote: Remote, archive: Archive, after: int = CUT) -> None:
    remote.cut.append(after)
    with pytest.raises(FetchError):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    remote.sent = 0
    remote.asked.clear()


def names_beside(archive: Archive) -> set[str]:
    return {path.name for path in archive.path(KEYS).parent.iterdir()}


def test_what_came_is_not_sent_again(remote: Remote, archive: Archive, served: bytes) -> None:
    break_off(remote, archive)
    assert [*archive.walk()] == [], "a scan takes the part for a spectrum"
    assert all(name.startswith(".") and name.endswith(".part") for name in names_beside(archive))
    assert fetch(remote, archive) == served
    assert remote.sent == len(served) - CUT
    assert (remote.requests[-1]["Range"], remote.requests[-1]["If-Range"]) == (f"bytes={CUT}-", '"one"')


def test_it_may_break_off_again_and_again(remote: Remote, archive: Archive, served: bytes) -> None:
    for after in (1, 50_000, 0, 70_000):
        break_off(remote, archive, after)
    assert fetch(remote, archive) == served
    assert remote.sent == len(served) - 120_001


def test_a_part_that_is_complete_costs_one_byte(remote: Remote, archive: Archive, served: bytes) -> None:
    """As a process leaves it that ends between the last byte and the renaming."""
    break_off(remote, archive)
    (part,) = [path for path in archive.path(KEYS).parent.iterdir() if ".origin" not in path.name]
    part.write_bytes(served)
    assert fetch(remote, archive) == served
    assert remote.sent == 1


def test_a_server_in_trouble_leaves_the_part(remote: Remote, archive: Archive, served: bytes) -> None:
    break_off(remote, archive)
    remote.status = 503
    with pytest.raises(FetchError, match="HTTP 503"):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    remote.status, remote.sent = None, 0
    assert fetch(remote, archive) == served
    assert remote.sent == len(served) - CUT


def test_a_time_stamp_serves_where_there_is_no_tag(remote: Remote, archive: Archive, served: bytes) -> None:
    remote.etag, remote.modified = None, OLD
    break_off(remote, archive)
    assert fetch(remote, archive) == served
    assert remote.sent == len(served) - CUT


@pytest.mark.parametrize("ranges", ["honoured", "blind"])
@pytest.mark.parametrize("by_time", [False, True])
def test_content_that_changed_meanwhile_is_fetched_anew(
    remote: Remote, archive: Archive, served: bytes, url_path: str, build_apstar: Callable[..., bytes], ranges: str,
    by_time: bool,
) -> None:  # fmt: skip
    if by_time:
        remote.etag, remote.modified = None, OLD
    break_off(remote, archive)
    remote.files[url_path] = changed = build_apstar("dr17", 2, seed=2)
    assert len(changed) == len(served)
    remote.ranges = ranges
    remote.etag, remote.modified = (None, NEW) if by_time else ('"two"', None)
    assert fetch(remote, archive) == changed
    assert len(remote.asked) == (2 if ranges == "blind" else 1)


def test_content_that_became_shorter_is_fetched_anew(
    remote: Remote, archive: Archive, served: bytes, url_path: str, build_apstar: Callable[..., bytes]
) -> None:
    break_off(remote, archive, len(served) - 1)
    remote.files[url_path] = shorter = build_apstar("dr17", 1)
    remote.ranges = "blind"
    assert fetch(remote, archive) == shorter


def test_a_server_that_ignores_ranges_now_sends_all(remote: Remote, archive: Archive, served: bytes) -> None:
    break_off(remote, archive)
    remote.ranges = "ignored"
    assert fetch(remote, archive) == served
    assert remote.sent == len(served)


@pytest.mark.parametrize(
    "unfit",
    [
        {"etag": None},
        {"etag": 'W/"one"'},
        {"etag": "one"},
        {"etag": None, "modified": "yesterday"},
        {"ranges": "ignored"},
        {"with_length": False},
        {"etag": None, "modified": NEW, "date": NEW},
    ],
)
def test_what_cannot_be_gone_on_with_is_not_kept(
    remote: Remote, archive: Archive, served: bytes, unfit: dict[str, object]
) -> None:
    for name, value in unfit.items():
        setattr(remote, name, value)
    break_off(remote, archive)
    assert names_beside(archive) == set()
    assert served


@pytest.mark.parametrize("note", ["", "{}", "[1]"])
def test_a_part_without_its_note_is_not_trusted(remote: Remote, archive: Archive, served: bytes, note: str) -> None:
    break_off(remote, archive)
    (path,) = [path for path in archive.path(KEYS).parent.iterdir() if ".origin" in path.name]
    assert json.loads(path.read_text())["length"] == len(served)
    path.write_text(note)
    assert fetch(remote, archive) == served
    assert remote.sent == len(served)


def test_a_part_of_another_server_s_file_is_not_trusted(
    remote: Remote, archive: Archive, served: bytes, url_path: str, build_apstar: Callable[..., bytes]
) -> None:
    """Two servers may give different contents the same tag."""
    break_off(remote, archive)
    with serve() as other:
        other.ranges, other.etag = "honoured", remote.etag
        other.files[url_path] = build_apstar("dr17", 2, seed=2)
        assert fetch(other, archive) == other.files[url_path] != served
        assert "Range" not in other.requests[0]


def test_a_part_that_was_damaged_here_is_fetched_anew(remote: Remote, archive: Archive, served: bytes) -> None:
    break_off(remote, archive)
    (part,) = [path for path in archive.path(KEYS).parent.iterdir() if ".origin" not in path.name]
    part.write_bytes(b"\0" * CUT)
    assert fetch(remote, archive) == served
    assert len(remote.asked) == 2


def test_a_file_that_the_server_no_longer_has_leaves_nothing(remote: Remote, archive: Archive, served: bytes) -> None:
    break_off(remote, archive)
    remote.files.clear()
    with pytest.raises(BadInputError) as caught:
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert caught.value.reason is Reason.NOT_AT_REMOTE
    assert names_beside(archive) == set()
    assert served


def test_a_part_that_another_process_holds_is_left_alone(remote: Remote, archive: Archive, served: bytes) -> None:
    break_off(remote, archive)
    (part,) = [path for path in archive.path(KEYS).parent.iterdir() if ".origin" not in path.name]
    with part.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        path = fetch_apstar(archive, KEYS, remote_base=remote.base)
        assert path.read_bytes() == served
        assert remote.sent == len(served)
        assert part.stat().st_size == CUT


def _netrc(home: Path) -> None:
    home.mkdir()
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login sdss password secret\nmachine localhost login other password secret2\n")
    netrc.chmod(0o600)


def test_credentials_do_not_follow_a_redirection_to_another_host(
    remote: Remote, archive: Archive, served: bytes, url_path: str
) -> None:
    _netrc(Path.home())
    with serve("localhost") as elsewhere:
        elsewhere.files[url_path] = served
        remote.redirect = elsewhere.base
        assert fetch(remote, archive) == served
        assert is_at_remote(archive, KEYS, remote.base)
        assert [request.get("Authorization") for request in elsewhere.requests] == [None, None]
    assert all(request["Authorization"] == "Basic c2RzczpzZWNyZXQ=" for request in remote.requests)


def test_a_redirection_on_the_same_server_keeps_them(remote: Remote, archive: Archive, served: bytes) -> None:
    _netrc(Path.home())
    remote.credentials, remote.statuses, remote.redirect = "sdss:secret", [302, 200], remote.base
    assert fetch(remote, archive) == served


@pytest.mark.parametrize("heads", [True, False])
def test_whether_the_server_has_a_file(remote: Remote, archive: Archive, served: bytes, heads: bool) -> None:
    remote.heads = heads
    assert is_at_remote(archive, KEYS, remote.base)
    assert not heads or remote.sent == 0
    remote.files.clear()
    assert not is_at_remote(archive, KEYS, remote.base)
    remote.status = 503
    with pytest.raises(FetchError, match="HTTP 503"):
        is_at_remote(archive, KEYS, remote.base)
    remote.status = 401
    with pytest.raises(PermissionError, match="netrc"):
        is_at_remote(archive, KEYS, remote.base)
    assert not archive.root.exists()
    assert served
