"""Trees that nobody on the project wrote: every file is read, and says what its generator put into it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from apogee_labels.apogee.archive.archive import Archive
from apogee_labels.apogee.spectra.apstar import read_apstar, read_header
from apogee_labels.apogee.spectra.masks import BAD_PIXEL

pytestmark = pytest.mark.shared
NIGHTS = (57149, 57150, 57151)
SEED, STARS, PLATES = 3, 3, 2


@pytest.fixture(scope="module")
def generator(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The script make_nights.py as a module; the environment, which it changes, is put back."""
    folder = request.getfixturevalue("realistic")
    spec = importlib.util.spec_from_file_location("make_nights", Path(folder) / "make_nights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = dict(os.environ)
    sys.modules["make_nights"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("make_nights", None)  # others load it as well
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module", params=["dr16", "dr17", "sdss5"])
def tree(
    request: pytest.FixtureRequest, generator: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Archive]:
    root = tmp_path_factory.mktemp(request.param)
    archive = Archive(root, request.param, generator.APRED[request.param])  # before the generator's own sdss_access
    for mjd in NIGHTS:
        generator.make_night(root, mjd, STARS, SEED, request.param, PLATES)
    return request.param, archive


def _expected(generator: ModuleType, release: str, archive: Archive) -> dict[str, tuple[object, dict, list[int]]]:
    """Path -> star, plate and MJDs, by the generator's own rules; a later night rewrites a file."""
    expected = {}
    for mjd in NIGHTS:
        for plate in [plate for plate in generator.plates() if mjd in plate["mjds"]][:PLATES]:
            telescope = "lco25m" if plate["dec"] < -35 else "apo25m"
            field = [other for other in generator.plates() if other["location"] == plate["location"]]
            mjds = sorted({m for other in field for m in other["mjds"] if m <= mjd})[-12:]
            for star in generator.stars_of(plate, STARS, SEED):
                path = generator.apstar_path(archive.root, release, star, plate, telescope, archive.apred)
                expected[str(path)] = star, plate, mjds
    return expected


def test_every_file_is_found_and_says_what_was_written(tree: tuple[str, Archive], generator: ModuleType) -> None:
    release, archive = tree
    expected = _expected(generator, release, archive)
    found = [*archive.walk()]
    assert {entry.path for entry in found} == set(expected)
    assert len(found) >= STARS * PLATES
    for entry in found:
        star, plate, mjds = expected[entry.path]
        spectrum, header = read_apstar(entry.path), read_header(entry.path)
        keys = archive.keys(entry.path)
        assert spectrum.obj == header.obj == keys.obj == star.obj
        assert spectrum.telescope == keys.telescope
        assert spectrum.field == keys.field
        assert spectrum.healpix == keys.healpix
        assert [visit.mjd for visit in spectrum.visits] == [visit.mjd for visit in header.visits] == mjds
        n = len(mjds)
        assert spectrum.visit_rows.tolist() == ([0] if n == 1 else [*range(2, n + 2)])
        assert len(spectrum.flux) == (n + 2 if n > 1 else (1 if release == "dr16" else 2))
        for visit in spectrum.visits:
            _compare(spectrum.flux[visit.row], spectrum.ivar[visit.row], generator.visit(star, plate, visit.mjd), n)


def _compare(flux: np.ndarray, ivar: np.ndarray, written: dict, n_visits: int) -> None:
    """A visit's row against the visit as it was simulated; a single visit is the combination of itself."""
    good = written["on_chip"] & ((written["mask"] & int(BAD_PIXEL)) == 0)
    np.testing.assert_array_equal(ivar > 0, good)
    np.testing.assert_allclose(flux[good], written["flux"][good], rtol=2e-6, atol=1e-4 * n_visits)
    np.testing.assert_allclose(ivar[good], written["error"][good] ** -2.0, rtol=2e-6)
