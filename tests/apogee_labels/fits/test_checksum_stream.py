"""The sums of FITS files, against astropy's."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.fits.checksum_stream import ALL_ONES, chunks_of, encoded, ones_complement_sum


@pytest.mark.parametrize("seed", range(20))
def test_sums_are_those_of_astropy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, size=(rng.integers(1, 5), 2880), dtype="u1")
    hdu = fits.ImageHDU(data)
    hdu.header["NUMBER"] = int(rng.integers(1 << 40))
    hdu.add_checksum()
    datasum = ones_complement_sum([data[:1].tobytes(), data[1:].tobytes()])
    assert str(datasum) == hdu.header["DATASUM"]
    known = hdu.header["CHECKSUM"]
    hdu.header["CHECKSUM"] = "0" * 16
    total = ones_complement_sum([hdu.header.tostring().encode()], datasum)
    assert encoded(total) == known
    hdu.header["CHECKSUM"] = known
    assert ones_complement_sum([hdu.header.tostring().encode(), data.tobytes()]) == ALL_ONES


def test_what_is_carried_over_is_added_below() -> None:
    assert ones_complement_sum([b"\xff\xff\xff\xff", b"\0\0\0\x02"]) == 2
    assert ones_complement_sum([b"\xff" * (1 << 20)], 5) == 5
    assert ones_complement_sum([]) == 0
    with pytest.raises(ValueError, match="buffer size"):
        ones_complement_sum([b"abc"])


def test_checksums_are_letters_and_digits() -> None:
    totals = np.random.default_rng(0).integers(0, 1 << 32, 2000).tolist()
    assert all(encoded(total).isalnum() and len(encoded(total)) == 16 for total in [0, ALL_ONES, *totals])


def test_a_stream_is_read_up_to_a_size() -> None:
    stream = io.BytesIO(b"0123456789")
    assert b"".join(chunks_of(stream, 4)) == b"0123"
    assert b"".join(chunks_of(stream, 100)) == b"456789"
    assert list(chunks_of(stream, 0)) == []
