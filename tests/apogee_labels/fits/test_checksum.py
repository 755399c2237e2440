"""The sums are those of astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.fits.checksum import COMPLETE, checksum_text, ones_sum


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
