"""Many files at once: each has its own outcome, the connections are shared, and the next call takes what is left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.download import fetch_many as module
from apogee_labels.apogee.download.fetch_many import Fetched, FetchOutcome, fetch_many
from apogee_labels.apogee.download.remote import FetchError
from apogee_labels.apogee.spectra.apstar import read_apstar
from apogee_labels.core import progress
from tests.support.archive_server import Remote, serve

N_STARS = 8


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Remote]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    with serve() as remote:
        yield remote


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "sas", "dr17", "dr17")


@pytest.fixture
def wanted(remote: Remote, archive: Archive, build_apstar: Callable[..., bytes]) -> list[ApStarKeys]:
    """Keys of files that the server has."""
    content = build_apstar("dr17", 2)
    wanted = [
        ApStarKeys(release="dr17", apred="dr17", telescope="apo25m", field="000+14", obj=f"2M1650579{n}-2118004")
        for n in range(N_STARS)
    ]
    for keys in wanted:
        remote.files[url_path(archive, keys)] = content
    return wanted


def url_path(archive: Archive, keys: ApStarKeys) -> str:
    return f"/sas/{archive.path(keys).relative_to(archive.root)}"


def outcomes(files: list[Fetched]) -> list[FetchOutcome]:
    return [file.outcome for file in files]


def test_all_come_over_a_few_connections(remote: Remote, archive: Archive, wanted: list[ApStarKeys]) -> None:
    remote.delay = 0.05
    files = fetch_many(archive, wanted, remote_base=remote.base, parallel=3)
    assert outcomes(files) == [FetchOutcome.FETCHED] * N_STARS
    assert [file.keys for file in files] == wanted
    for file in files:
        assert len(read_apstar(file.path).visits) == 2
    assert remote.most_at_once == 3
    assert len(remote.connections) == 3, "connections are kept open from file to file"


def test_what_came_is_not_asked_for_again(remote: Remote, archive: Archive, wanted: list[ApStarKeys]) -> None:
    fetch_many(archive, wanted[:3], remote_base=remote.base)
    remote.asked.clear()
    files = fetch_many(archive, wanted, remote_base=remote.base)
    assert outcomes(files) == [FetchOutcome.WAS_HERE] * 3 + [FetchOutcome.FETCHED] * (N_STARS - 3)
    assert sorted(remote.asked) == sorted(url_path(archive, keys) for keys in wanted[3:])


def test_one_that_fails_does_not_keep_the_others_from_coming(
    remote: Remote, archive: Archive, wanted: list[ApStarKeys]
) -> None:
    absent, bad, folder, *rest = wanted
    del remote.files[url_path(archive, absent)]
    remote.files[url_path(archive, bad)] = b"<html>Please log in</html>"
    archive.path(folder).mkdir(parents=True)
    files = fetch_many(archive, wanted, remote_base=remote.base)
    assert outcomes(files) == [
        FetchOutcome.NOT_AT_REMOTE, FetchOutcome.BAD, FetchOutcome.BAD, *[FetchOutcome.FETCHED] * len(rest),
    ]  # fmt: skip
    assert [file.error is None for file in files] == [False] * 3 + [True] * len(rest)


def test_a_server_that_refuses(remote: Remote, archive: Archive, wanted: list[ApStarKeys]) -> None:
    remote.credentials = "sdss:secret"
    files = fetch_many(archive, wanted[:2], remote_base=remote.base)
    assert outcomes(files) == [FetchOutcome.REFUSED] * 2
    assert len(remote.asked) == 2, "what was refused is not asked for again"
    netrc = Path.home() / ".netrc"
    netrc.parent.mkdir()
    netrc.write_text("machine 127.0.0.1 login sdss password secret\n")
    netrc.chmod(0o600)
    assert outcomes(fetch_many(archive, wanted[:2], remote_base=remote.base)) == [FetchOutcome.FETCHED] * 2


def test_trouble_is_tried_again_after_a_pause(
    remote: Remote, archive: Archive, wanted: list[ApStarKeys], caplog: pytest.LogCaptureFixture
) -> None:
    remote.statuses = [503, 429]
    with caplog.at_level(logging.INFO):
        files = fetch_many(archive, wanted[:1], remote_base=remote.base)
    assert outcomes(files) == [FetchOutcome.FETCHED]
    assert len(remote.asked) == 3
    assert caplog.text.count("Trying again after") == 2
    assert "1 files asked for: 1 fetched" in caplog.text


def test_trouble_that_stays_is_given_up_and_the_next_call_fetches(
    remote: Remote, archive: Archive, wanted: list[ApStarKeys]
) -> None:
    content = remote.files[url_path(archive, wanted[0])]
    remote.cut = [100_000, 100_000, 100_000]
    (file,) = fetch_many(archive, wanted[:1], remote_base=remote.base)
    assert file.outcome is FetchOutcome.FAILED
    assert isinstance(file.error, FetchError)
    assert not file.path.exists()
    (file,) = fetch_many(archive, wanted[:1], remote_base=remote.base)
    assert file.path.read_bytes() == content
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]


@pytest.mark.parametrize(("seconds", "n_asked"), [("0", 3), ("3600", 1), ("Fri, 31 Dec 1999 23:59:59 GMT", 3)])
def test_a_server_that_asks_to_be_left_alone_for_long_is(
    remote: Remote, archive: Archive, wanted: list[ApStarKeys], seconds: str, n_asked: int
) -> None:
    remote.status, remote.headers = 503, {"Retry-After": seconds}
    assert outcomes(fetch_many(archive, wanted[:1], remote_base=remote.base)) == [FetchOutcome.FAILED]
    assert len(remote.asked) == n_asked


def test_progress_is_told(
    remote: Remote, archive: Archive, wanted: list[ApStarKeys], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(progress, "REPORT_EVERY", 0.0)
    with caplog.at_level(logging.INFO):
        fetch_many(archive, wanted, remote_base=remote.base)
    assert f"files that are fetched: 3 of {N_STARS}, " in caplog.text


def test_a_fault_of_the_call_begins_nothing_more(archive: Archive, wanted: list[ApStarKeys]) -> None:
    with pytest.raises(ValueError, match="is no URL to fetch from"):
        fetch_many(archive, wanted, remote_base="ftp://data.sdss.org")
    assert not archive.root.exists()


def test_a_call_that_is_interrupted_begins_nothing_more(
    remote: Remote, archive: Archive, wanted: list[ApStarKeys], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(jobs: Iterator[object], *_: object) -> Iterator[object]:
        yield next(jobs)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "with_progress", interrupt)
    remote.delay = 0.1
    with pytest.raises(KeyboardInterrupt):
        fetch_many(archive, wanted, remote_base=remote.base, parallel=1)
    assert len(remote.asked) < N_STARS


def test_nothing_to_fetch_asks_nothing(remote: Remote, archive: Archive) -> None:
    assert fetch_many(archive, [], remote_base=remote.base) == []
    assert remote.asked == []
