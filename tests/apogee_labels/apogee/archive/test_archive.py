"""Paths against sdss_access's own, keys back from them, and walking a tree with everything in it that can be."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive

TUTORIAL = "dr16/apogee/spectro/redux/r12/stars/apo25m/000+14/apStar-r12-2M16505794-2118004.fits"
PLATES = {"apstar": "stars", "field": "000+14", "prefix": "ap"}
KEYS = {
    "dr12": {"apred": "r5", "telescope": "apo25m", "obj": "2M16505794-2118004", **PLATES},
    "dr13": {"apred": "l30e.2", "telescope": "apo25m", "obj": "2M16505794-2118004", **PLATES},
    "dr14": {"apred": "r8", "telescope": "apo1m", "obj": "VESTA", **PLATES, "field": "hip"},
    "dr16": {"apred": "r12", "telescope": "apo25m", "obj": "2M16505794-2118004", **PLATES},
    "dr17": {"apred": "dr17", "telescope": "lco25m", "obj": "2M16505794-2118004", **PLATES, "prefix": "as"},
    "dr19": {"apred": "1.3", "telescope": "apo25m", "healpix": 87654, "obj": "2M16505794-2118004"},
    "dr20": {"apred": "1.4", "telescope": "lco25m", "healpix": 5, "obj": "2M00000002+7417074"},
    "sdsswork": {"apred": "1.3", "telescope": "lco25m", "healpix": 999, "obj": "2M00000002+7417074"},
    "sdss5": {"apred": "daily", "telescope": "apo25m", "healpix": 1000, "obj": "2M00000002+7417074"},
    "ipl3": {"apred": "1.1", "telescope": "apo25m", "healpix": 196607, "obj": "2M00000002+7417074"},
}


def _keys(release: str) -> ApStarKeys:
    return ApStarKeys(release=release, **KEYS[release])  # type: ignore[arg-type]


def _archive(root: Path, release: str) -> Archive:
    return Archive(root, release, str(KEYS[release]["apred"]))


@pytest.mark.parametrize("release", KEYS)
def test_paths_are_those_of_sdss_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    for name in [name for name in os.environ if name.startswith(("APOGEE_", "SAS_"))]:
        monkeypatch.delenv(name)
    path = _archive(tmp_path, release).path(_keys(release))
    before = dict(os.environ)
    os.environ["SAS_BASE_DIR"] = str(tmp_path)
    try:
        from sdss_access.path import Path as SdssPath

        access = SdssPath(release="sdsswork" if release == "sdss5" else release)
        assert path == Path(access.full("apStar", **KEYS[release]))
        assert _archive(tmp_path, release).remote_url(_keys(release)) == access.url("apStar", **KEYS[release])
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.mark.parametrize("release", KEYS)
def test_keys_come_back_from_their_path(tmp_path: Path, release: str) -> None:
    archive, keys = _archive(tmp_path, release), _keys(release)
    path = archive.path(keys)
    assert archive.keys(path) == keys
    assert archive.keys(path.relative_to(tmp_path)) == keys
    assert archive.path(archive.keys(path)) == path


def test_the_path_of_the_tutorial() -> None:
    archive = Archive("/sas", "dr16", "r12")
    keys = ApStarKeys(release="dr16", apred="r12", telescope="apo25m", field="000+14", obj="2M16505794-2118004")
    assert archive.path(keys) == Path("/sas") / TUTORIAL
    assert archive.remote_url(keys) == f"https://data.sdss.org/sas/{TUTORIAL}"
    assert archive.remote_url(keys, "http://127.0.0.1:8000/") == f"http://127.0.0.1:8000/sas/{TUTORIAL}"


def test_two_releases_in_one_process_and_in_threads() -> None:
    archives = {release: Archive("/sas", release, str(KEYS[release]["apred"])) for release in KEYS}
    expected = {release: archives[release].path(_keys(release)) for release in KEYS}
    names = [*KEYS] * 50
    np.random.default_rng(1).shuffle(names)
    with ThreadPoolExecutor(8) as pool:
        paths = pool.map(lambda release: Archive("/sas", release, "x").path(_keys(release)), names)
    assert [*paths] == [expected[release] for release in names]
    assert archives["dr17"].path(_keys("dr16")) == Path("/sas") / TUTORIAL
    assert archives["dr17"].keys(f"/sas/{TUTORIAL}").release == "dr16"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        f"/sas/../{TUTORIAL}",
        f"../{TUTORIAL}",
        "/sasx/" + TUTORIAL,
        "/sas/dr16/apogee/../../../sas2/" + TUTORIAL,
    ],
)
def test_a_path_outside_the_archive_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="outside the archive: expected a path below /sas"):
        Archive("/sas", "dr16", "r12").keys(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "dr16/apogee/spectro/redux/r12/stars/apo25m/000+14",
        TUTORIAL + ".part",
        TUTORIAL.replace("apStar", ".apStar"),
        TUTORIAL.replace("-r12-", "-r13-"),
        TUTORIAL.replace("dr16", "dr99"),
        TUTORIAL.replace("000+14", "000 14"),
    ],
)
def test_a_path_that_is_no_apstar_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not an apStar path of dr16"):
        Archive("/sas", "dr16", "r12").keys(path)


def test_a_healpix_in_the_wrong_group_and_a_versioned_copy_are_refused() -> None:
    archive = Archive("/sas", "dr19", "1.3")
    path = archive.path(_keys("dr19"))
    with pytest.raises(ValueError, match="contradicts itself"):
        archive.keys(str(path).replace("/87/", "/88/"))
    with pytest.raises(ValueError, match="versioned copy: expected the file of 2M16505794-2118004"):
        archive.keys(str(path).replace(".fits", "-59280.fits"))


def test_missing_keys_are_named() -> None:
    keys = ApStarKeys(release="dr17", apred="dr17", telescope="apo25m", obj="x")
    with pytest.raises(ValueError, match="needs apred, apstar, telescope, field, prefix, obj: field missing"):
        Archive("/sas", "dr17", "dr17").path(keys)
    with pytest.raises(ValueError, match="healpix missing"):
        Archive("/sas", "sdss5", "1.3").path(ApStarKeys(release="sdss5", apred="1.3", telescope="apo25m", obj="x"))


@pytest.mark.parametrize(("release", "apred"), [("dr99", "x"), ("dr17", "../x"), ("dr17", "")])
def test_an_archive_that_cannot_be(release: str, apred: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Archive("/sas", release, apred)


def _touch(path: Path, size: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def _variants(keys: ApStarKeys, **changes: object) -> ApStarKeys:
    values = {name: getattr(keys, name) for name in keys.__dataclass_fields__}
    return ApStarKeys(**(values | changes))


@pytest.mark.parametrize("release", ["dr16", "dr17", "dr19", "sdss5", "ipl3"])
def test_a_walk_finds_the_stars_and_nothing_else(tmp_path: Path, release: str) -> None:
    archive, keys = _archive(tmp_path, release), _keys(release)
    stars = [
        _variants(keys, obj=f"2M0000000{k}+7417074", telescope=telescope, prefix=None, **place)
        for k in range(3)
        for telescope in ("apo25m", "lco25m")
        for place in (
            [{"healpix": 7}, {"healpix": 123456}] if archive.layout.by_healpix else [{"field": "a"}, {"field": "b"}]
        )
    ]
    paths = [_touch(archive.path(star), 10 + k) for k, star in enumerate(stars)]
    for path in paths[:4]:
        for name in (
            f".{path.name}.abc.part",
            f"{path.name}.part",
            path.name.replace("Star-", "Visit-"),
            path.name.replace(".fits", ".fits.gz"),
            f".{path.name}",
            path.name.replace(archive.apred, "other", 1),
        ):
            _touch(path.with_name(name))
    if archive.layout.by_healpix:
        _touch(paths[0].with_name(paths[0].name.replace(".fits", "-59280.fits")))
    _touch(archive.path(_variants(keys, apred="other")))
    _touch(paths[0].parent / "plots" / paths[0].name)
    found = [*archive.walk()]
    assert sorted(entry.path for entry in found) == sorted(map(str, paths))
    assert {entry.path: (entry.size, entry.is_file) for entry in found} == {
        str(path): (10 + k, True) for k, path in enumerate(paths)
    }
    assert all(entry.mtime_ns == Path(entry.path).stat().st_mtime_ns for entry in found)
    assert [entry.path for entry in found] == [entry.path for entry in archive.walk()]
    only = [*archive.walk("lco25m")]
    assert only == [entry for entry in found if "/lco25m/" in entry.path]
    assert len(only) == len(found) / 2


def _as_folder(path: Path) -> None:
    path.mkdir()


def _as_link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _as_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [_as_folder, os.mkfifo, _as_link_to_nowhere, _as_link_to_itself])
def test_what_has_the_name_of_a_spectrum_and_is_none_is_reported(tmp_path: Path, make: Callable[[Path], None]) -> None:
    archive = _archive(tmp_path, "dr17")
    path = archive.path(_keys("dr17"))
    path.parent.mkdir(parents=True)
    make(path)
    (path.parent.parent / "loop").symlink_to("loop")
    assert [(entry.path, entry.is_file) for entry in archive.walk()] == [(str(path), False)]


def test_a_link_counts_as_what_it_leads_to(tmp_path: Path) -> None:
    archive = _archive(tmp_path, "sdss5")
    path = archive.path(_keys("sdss5"))
    versioned = _touch(path.with_name(path.name.replace(".fits", "-59280.fits")), 77)
    path.symlink_to(versioned)
    assert [(entry.path, entry.size, entry.is_file) for entry in archive.walk()] == [(str(path), 77, True)]


def test_an_archive_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert [*_archive(tmp_path / "none", "dr17").walk()] == []


def test_folders_that_are_links_are_followed(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "sas", "dr17")
    elsewhere = _touch(tmp_path / "disk" / archive.path(_keys("dr17")).relative_to(tmp_path / "sas" / "dr17"))
    (tmp_path / "sas").mkdir()
    (tmp_path / "sas" / "dr17").symlink_to(tmp_path / "disk")
    assert elsewhere.exists()
    (found,) = archive.walk()
    assert archive.keys(found.path) == _keys("dr17")
