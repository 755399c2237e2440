"""sdss_access is asked once, and the process is as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apogee_labels.apogee.archive.releases import release_layout, release_layouts

ROOT = Path(__file__).resolve().parents[4]


def _run(code: str, **environment: str) -> dict[str, object]:
    """Run code in a process of its own: the last line it prints, as JSON."""
    theirs = ("SAS_", "APOGEE_", "TREE_")
    base = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env=base | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return json.loads(run.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def test_the_process_is_as_it_was(tmp_path: Path) -> None:
    """Environment, hooks and folders, where SAS_BASE_DIR is not set (sdss_access then makes ~/sas)."""
    code = """
import json, logging, os, sys, warnings
def state():
    return dict(os.environ), sys.excepthook, warnings.showwarning, logging._warnings_showwarning, warnings.filters[:]
before = state()
from apogee_labels.apogee.archive.releases import release_layout
assert "sdss_access" not in sys.modules
release_layout("dr16"); release_layout("sdss5")
print(json.dumps([a == b for a, b in zip(before, state())] + os.listdir(os.environ["HOME"])))
"""
    assert _run(code, HOME=str(tmp_path)) == [True] * 5


def test_others_who_use_sdss_access_keep_their_release(tmp_path: Path) -> None:
    code = """
import json, os, warnings
warnings.simplefilter("ignore", ResourceWarning)
from sdss_access import Path
keys = dict(apred="r12", apstar="stars", telescope="apo25m", field="f", prefix="ap", obj="o")
path = Path(release="dr16")
before = path.full("apStar", **keys), dict(os.environ)
from apogee_labels.apogee.archive.releases import release_layout
release_layout("dr17")
print(json.dumps([before[0] == path.full("apStar", **keys), before[1] == dict(os.environ)]))
"""
    assert _run(code, HOME=str(tmp_path), SAS_BASE_DIR=str(tmp_path / "sas")) == [True, True]


def test_threads_that_ask_first_agree(tmp_path: Path) -> None:
    code = """
import json
from concurrent.futures import ThreadPoolExecutor
from apogee_labels.apogee.archive.releases import release_layout
names = ["dr16", "dr17", "dr19", "sdss5"] * 8
with ThreadPoolExecutor(16) as pool:
    print(json.dumps(sorted({layout.template.split("/")[0] for layout in pool.map(release_layout, names)})))
"""
    assert _run(code, HOME=str(tmp_path)) == ["dr16", "dr17", "dr19", "sdsswork"]


def test_an_unknown_release_does_not_become_another() -> None:
    for release in ("dr99", "foo", "dr18", "../dr17"):
        with pytest.raises(ValueError, match=r"no apStar paths in sdss_access: expected one of .*dr16, dr17, dr19"):
            release_layout(release)


def test_layouts_and_their_keys() -> None:
    assert release_layout("dr16").keys == ("apred", "apstar", "telescope", "field", "prefix", "obj")
    assert release_layout("sdss5").keys == ("apred", "telescope", "healpix", "obj")
    assert release_layout("sdss5") is release_layout("sdsswork")
    assert not release_layout("dr17").by_healpix
    assert release_layout("dr20").by_healpix
    assert {"dr12", "dr13", "dr14", "dr15", "dr16", "dr17", "dr19", "dr20"} <= set(release_layouts())
    assert release_layout("dr17").remote_base == "https://data.sdss.org"
    assert release_layout("sdss5").remote_base == "https://data.sdss5.org"


def test_a_release_that_is_asked_for_is_the_only_one_that_is_read(tmp_path: Path) -> None:
    """All of them take longer than the work on a file, and every task of a night would ask."""
    code = """
import json, warnings
warnings.simplefilter("ignore", ResourceWarning)
import sdss_access
from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
asked, theirs = [], sdss_access.Path
sdss_access.Path = lambda release: (asked.append(release), theirs(release=release))[1]
archive = Archive("/sas", "dr17", "dr17")
keys = ApStarKeys(release="dr17", apred="dr17", telescope="apo25m", field="f", obj="2M0")
assert archive.keys(archive.path(keys)).obj == "2M0"
first = list(asked)
archive.keys("/sas/dr16/apogee/spectro/redux/r12/stars/apo25m/000+14/apStar-r12-2M16505794-2118004.fits")
print(json.dumps([first, len(asked) == len(set(asked)) > 10]))
"""
    assert _run(code, HOME=str(tmp_path)) == [["dr17"], True]
