"""Fetching from a real HTTP server: complete, absent, refused, broken and cut short are told apart; nothing is left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.download import remote as asking
from apogee_labels.apogee.download.fetch import FetchError, fetch_apstar, is_at_remote
from apogee_labels.apogee.spectra.apstar import read_apstar
from apogee_labels.core.errors import BadInputError, Reason
from tests.support.archive_server import Remote, serve

KEYS = ApStarKeys(release="dr17", apred="dr17", telescope="apo25m", field="000+14", obj="2M16505794-2118004")


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Remote]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve() as remote:
        yield remote


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "sas", "dr17", "dr17")


@pytest.fixture
def served(remote: Remote, archive: Archive, build_apstar: Callable[..., bytes]) -> bytes:
    """Content that the remote has for KEYS."""
    content = build_apstar("dr17", 2)
    remote.files[f"/sas/{archive.path(KEYS).relative_to(archive.root)}"] = content
    return content


def _nothing_left(archive: Archive) -> bool:
    return not [path for path in archive.root.rglob("*") if not path.is_dir()]


def test_a_file_is_fetched_once(remote: Remote, archive: Archive, served: bytes) -> None:
    path = fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert path == archive.path(KEYS)
    assert path.read_bytes() == served
    assert [*path.parent.iterdir()] == [path]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    before = path.stat()
    assert fetch_apstar(archive, KEYS, remote_base=remote.base) == path
    assert path.stat() == before or path.stat().st_ino == before.st_ino
    assert len(remote.asked) == 1


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("damage", [b"", b"<html>", b"SIMPLE  ="])
def test_an_existing_file_that_cannot_be_read_is_fetched_again(
    remote: Remote, archive: Archive, served: bytes, damage: bytes
) -> None:
    path = archive.path(KEYS)
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert path.read_bytes() == served


def test_a_half_of_the_file_is_fetched_again(remote: Remote, archive: Archive, served: bytes) -> None:
    path = archive.path(KEYS)
    path.parent.mkdir(parents=True)
    path.write_bytes(served[: len(served) // 2])
    fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert path.read_bytes() == served


def test_a_folder_in_its_place_is_not_fetched_over(remote: Remote, archive: Archive, served: bytes) -> None:
    archive.path(KEYS).mkdir(parents=True)
    with pytest.raises(BadInputError) as caught:
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert caught.value.reason is Reason.NOT_A_FILE
    assert remote.asked == []
    assert served


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_the_server_does_not_have(remote: Remote, archive: Archive, status: int) -> None:
    remote.status = status
    with pytest.raises(BadInputError, match=f"no such file .HTTP {status}") as caught:
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert caught.value.reason is Reason.NOT_AT_REMOTE
    assert not archive.root.exists(), "folders were made for a file that is nowhere"


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses(remote: Remote, archive: Archive, status: int) -> None:
    remote.status = status
    with pytest.raises(PermissionError, match=r"machine 127\.0\.0\.1 login .* ~/\.netrc"):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert not archive.root.exists()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 204, 400])
def test_a_server_in_trouble(remote: Remote, archive: Archive, served: bytes, status: int) -> None:
    remote.status = status
    with pytest.raises(FetchError, match=f"HTTP {status}"):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert _nothing_left(archive)
    assert served


@pytest.mark.parametrize("with_length", [True, False])
@pytest.mark.parametrize("send", [0, 1, 30_000, 100_000])
def test_an_answer_cut_short(remote: Remote, archive: Archive, served: bytes, send: int, with_length: bool) -> None:
    remote.send, remote.with_length = send, with_length
    with pytest.raises(FetchError):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert _nothing_left(archive)
    remote.send = None
    assert fetch_apstar(archive, KEYS, remote_base=remote.base).read_bytes() == served


def test_a_connection_refused(remote: Remote, archive: Archive) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_address[1]
    with pytest.raises(FetchError, match="could not be fetched"):
        fetch_apstar(archive, KEYS, remote_base=f"http://127.0.0.1:{port}")
    assert not archive.root.exists()
    assert remote.asked == []


def test_a_server_that_says_nothing(
    remote: Remote, archive: Archive, served: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "READ_TIMEOUT", 0.1)
    remote.delay = 0.6
    with pytest.raises(FetchError, match="could not be fetched"):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert _nothing_left(archive)
    assert served


@pytest.mark.parametrize(
    ("content", "reason"), [(b"<html>Please log in</html>", Reason.UNREADABLE), (b"", Reason.EMPTY)]
)
def test_a_whole_file_that_is_bad_is_bad_input(
    remote: Remote, archive: Archive, content: bytes, reason: Reason
) -> None:
    remote.files[f"/sas/{archive.path(KEYS).relative_to(archive.root)}"] = content
    with pytest.raises(BadInputError, match=r"^http://127\.0\.0\.1") as caught:
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert caught.value.reason is reason
    assert _nothing_left(archive)


def test_a_failed_fetch_keeps_the_old_file(remote: Remote, archive: Archive, served: bytes) -> None:
    path = archive.path(KEYS)
    path.parent.mkdir(parents=True)
    path.write_bytes(served[:9000])
    remote.send = 10
    with pytest.raises(FetchError):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert [*path.parent.iterdir()] == [path]
    assert path.read_bytes() == served[:9000]


def test_credentials_come_from_netrc(remote: Remote, archive: Archive, served: bytes) -> None:
    remote.credentials = "sdss:secret"
    with pytest.raises(PermissionError, match="HTTP 401"):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    netrc = Path.home() / ".netrc"
    netrc.parent.mkdir()
    netrc.write_text("machine 127.0.0.1 login sdss password secret\n")
    netrc.chmod(0o600)
    assert fetch_apstar(archive, KEYS, remote_base=remote.base).read_bytes() == served


def test_a_netrc_that_cannot_be_read_is_said(remote: Remote, archive: Archive, served: bytes) -> None:
    netrc = Path.home() / ".netrc"
    netrc.parent.mkdir()
    netrc.write_text("machine 127.0.0.1 login sdss pasword secret\n")
    netrc.chmod(0o600)
    with pytest.raises(PermissionError, match=r"~/\.netrc cannot be read"):
        fetch_apstar(archive, KEYS, remote_base=remote.base)
    assert served


@pytest.mark.parametrize("base", ["ftp://data.sdss.org", "data.sdss.org", "http://[::1", ""])
def test_a_base_that_is_no_server(archive: Archive, base: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if not base:
        monkeypatch.setattr(type(archive), "remote_url", lambda *_: "/sas/x")
    with pytest.raises(ValueError, match="is no URL to fetch from: expected a base such as"):
        fetch_apstar(archive, KEYS, remote_base=base)


def test_fetches_of_one_file_at_once_all_end_well(remote: Remote, archive: Archive, served: bytes) -> None:
    remote.delay = 0.05
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(fetch_apstar, archive, KEYS, remote_base=remote.base) for _ in range(8)]
        paths = {job.result() for job in jobs}
    (path,) = paths
    assert [*path.parent.iterdir()] == [path]
    assert path.read_bytes() == served
    assert len(read_apstar(path).visits) == 2


def test_a_healpix_path_is_asked_for(remote: Remote, tmp_path: Path, build_apstar: Callable[..., bytes]) -> None:
    url = "/sas/sdsswork/mwm/apogee/spectro/redux/1.3/stars/lco25m/87/87654/apStar-1.3-lco25m-2M00000002+7417074.fits"
    remote.files[url] = build_apstar("sdss5", 1)
    keys = ApStarKeys(release="sdss5", apred="1.3", telescope="lco25m", healpix=87654, obj="2M00000002+7417074")
    path = fetch_apstar(Archive(tmp_path / "sas", "sdss5", "1.3"), keys, remote_base=remote.base)
    assert remote.asked == [url]
    assert read_apstar(path).healpix == 87654


def _netrc(home: Path) -> None:
    home.mkdir()
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login sdss password secret\nmachine localhost login other password secret2\n")
    netrc.chmod(0o600)


def test_credentials_do_not_follow_a_redirection_to_another_host(
    remote: Remote, archive: Archive, served: bytes
) -> None:
    _netrc(Path.home())
    with serve("localhost") as elsewhere:
        elsewhere.files = remote.files
        remote.redirect = elsewhere.base
        assert fetch_apstar(archive, KEYS, remote_base=remote.base).read_bytes() == served
        assert is_at_remote(archive, KEYS, remote.base)
        assert [request.get("Authorization") for request in elsewhere.requests] == [None, None]
    assert all(request["Authorization"] == "Basic c2RzczpzZWNyZXQ=" for request in remote.requests)


def test_a_redirection_on_the_same_server_keeps_them(remote: Remote, archive: Archive, served: bytes) -> None:
    _netrc(Path.home())
    remote.credentials, remote.statuses, remote.redirect = "sdss:secret", [302, 200], remote.base
    assert fetch_apstar(archive, KEYS, remote_base=remote.base).read_bytes() == served


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
