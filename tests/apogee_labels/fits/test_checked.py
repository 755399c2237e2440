"""Files that carry their sums: read whole or refused, by many threads at a time, with others left in peace."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.fits.checked import read_checked
from tests.support.warning_thread import thread_that_warns


def refused(reason: Reason, what: str) -> BadInputError:
    return BadInputError(reason, f"found {what}.")


def take(hdus: fits.HDUList) -> np.ndarray:
    return np.array(hdus["NUMBERS"].data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.fits"
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.arange(2000.0), name="NUMBERS")])
    hdus.writeto(path, checksum=True)
    return path


def test_a_whole_file(path: Path) -> None:
    np.testing.assert_array_equal(read_checked(path, take, refused), np.arange(2000.0))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"no FITS at all",
        lambda content: content[:-2880],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content + b"\0" * 2880,
        lambda content: content + b"x" * 2880,
        lambda content: content[:9000] + bytes([content[9000] ^ 1]) + content[9001:],
        lambda content: content.replace(b"DATASUM ", b"COMMENT ", 1),
        lambda content: content.replace(b"CHECKSUM", b"COMMENT ", 1),
    ],
)
def test_damage(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInputError, match="found") as caught:
        read_checked(path, take, refused)
    assert caught.value.reason is Reason.UNREADABLE
    assert "\n" not in caught.value.message


def test_a_part_that_is_missing(path: Path) -> None:
    with pytest.raises(BadInputError, match=r"parts are missing: KeyError.*OTHER") as caught:
        read_checked(path, lambda hdus: hdus["OTHER"].data, refused)
    assert caught.value.reason is Reason.WRONG_LAYOUT


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_checked(tmp_path / "none.fits", take, refused)


def test_threads_read_while_another_warns(path: Path, tmp_path: Path) -> None:
    """A damaged file is refused in each thread that reads it; who warns beside them is not stopped."""
    damaged = tmp_path / "damaged.fits"
    damaged.write_bytes(path.read_bytes() + b"x" * 2880)  # of which astropy only warns

    def is_whole(file: Path) -> bool:
        try:
            return len(read_checked(file, take, refused)) == 2000
        except BadInputError:
            return False

    with thread_that_warns() as counts, ThreadPoolExecutor(6) as pool:
        filters = [*warnings.filters]
        outcomes = [*pool.map(is_whole, [path, damaged] * 60)]
        assert warnings.filters == filters
    assert outcomes == [True, False] * 60
    assert counts[0] > 0
