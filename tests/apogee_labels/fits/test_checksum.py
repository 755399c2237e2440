"""The sums are those of astropy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.fits.checksum import COMPLETE, checksum_text, ones_sum, sum_of_stream


def test_sums_and_their_text_are_astropys() -> None:
    hdu, rng = fits.ImageHDU(), np.random.default_rng(4)
    for total in [0, 1, COMPLETE, COMPLETE - 1, *rng.integers(0, COMPLETE, 2000).tolist()]:
        assert checksum_text(total).decode() == hdu._char_encode(COMPLETE - total)


@pytest.mark.parametrize("size", [0, 4, 2880, 40_000])
def test_a_sum_carries_round(size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    plain = sum(int.from_bytes(content[k : k + 4], "big") for k in range(0, size, 4))
    assert ones_sum(content) == (plain and (plain - 1) % COMPLETE + 1)


def test_no_character_is_punctuation() -> None:
    for total in range(0, COMPLETE, COMPLETE // 5003):
        assert checksum_text(total).isalnum()


@pytest.mark.parametrize("seed", range(20))
def test_the_sums_of_a_unit_are_astropys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, size=(rng.integers(1, 5), 2880), dtype="u1")
    hdu = fits.ImageHDU(data)
    hdu.header["NUMBER"] = int(rng.integers(1 << 40))
    hdu.add_checksum()
    data_sum = ones_sum(data[1:].tobytes(), ones_sum(data[:1].tobytes()))
    assert str(data_sum) == hdu.header["DATASUM"]
    known = hdu.header["CHECKSUM"]
    hdu.header["CHECKSUM"] = "0" * 16
    assert checksum_text(ones_sum(hdu.header.tostring().encode(), data_sum)).decode() == known
    hdu.header["CHECKSUM"] = known
    assert ones_sum(hdu.header.tostring().encode(), data_sum) == COMPLETE


def test_a_piece_is_whole_words() -> None:
    with pytest.raises(ValueError, match="buffer size"):
        ones_sum(b"abc")


def test_a_stream_is_summed_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apogee_labels.fits.checksum._CHUNK", 8)
    content = np.random.default_rng(1).bytes(100)
    stream = io.BytesIO(content)
    assert sum_of_stream(stream, 20) == ones_sum(content[:20])
    assert sum_of_stream(stream, 1000) == ones_sum(content[20:])
    assert sum_of_stream(stream, 8) == 0
