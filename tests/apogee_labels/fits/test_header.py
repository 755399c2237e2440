"""A plain header says what astropy says, and what is not plain is left to astropy."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.header import Header
from astropy.io.fits.verify import VerifyError

from apogee_labels.fits.header import BLOCK, CARD, UNCLEAR, find_plain
from apogee_labels.simulation.survey import SyntheticSurvey

BODIES = [
    "'text'", "'text    '", "''", "'   '", "'a / b'", "'it''s'", "'AXIS: 1'", "'A.B: 1.5'", "'a: b'", "'a' / comment",
    "'a'/comment", "T", "F", "                   T / yes", "1", "+1", "-1", "007", "-0", "1.", ".5", "1.5", "-1.5E3", "1E5",
    "1.5D-3", "1.5e3", "1 2", "(1, 2)", "NaN", "'NaN'", "", " / nothing", "1/2", "123456789012345678901234567890", "1.0E999",
    "T1", "'open", "'a' 'b'", "TRUE", "0x10", "1_000", "00.5", "+.5E+2",
]  # fmt: skip


def header_of(*cards: str) -> bytes:
    text = "".join(card.ljust(CARD) for card in [*cards, "END"])
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode()


def by_astropy(content: bytes, keyword: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Header.fromstring(content).get(keyword)


@pytest.mark.parametrize("body", BODIES)
def test_a_value_is_astropys_or_left_to_it(body: str) -> None:
    content = header_of("SIMPLE  =                    T", f"VALUE   = {body}")
    plain = find_plain(content, 0)
    assert plain is not None
    value = plain.value("VALUE")
    if value is not UNCLEAR:
        expected = by_astropy(content, "VALUE")
        assert (type(value), value) == (type(expected), expected)


def test_what_is_ordinary_is_read_here() -> None:
    content = header_of(*(f"KEY{k}    = {body}" for k, body in enumerate(["'a b'", "T", "-12 / c", "1.5E-3", "2D0"])))
    plain = find_plain(content, 0)
    assert plain is not None
    assert [plain.value(f"KEY{k}") for k in range(6)] == ["a b", True, -12, 1.5e-3, 2.0, None]


def test_the_first_of_a_repeated_keyword_counts() -> None:
    content = header_of("A       = 1", "A       = 2", "COMMENT = 3", "        = 4")
    plain = find_plain(content, 0)
    assert plain is not None
    assert plain.value("A") == by_astropy(content, "A") == 1


@pytest.mark.parametrize(
    "card",
    ["snr     = 1", "SNR / 1", "SNR", "SNR    = 1", "SNR     =1", "HIERARCH A = 1", "CONTINUE  'a'", "A B     = 1",
     "A.B     = 1"],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_astropy(card: str) -> None:
    assert find_plain(header_of("A       = 1", card), 0) is None


def test_a_header_that_is_not_whole_is_not_plain() -> None:
    content = header_of(*(f"KEY{k:<5}= {k}" for k in range(50)))
    for cut in (0, 79, CARD, BLOCK, len(content) - 1):
        assert find_plain(content[:cut], 0) is None
    assert find_plain(content[:-1] + b"x", 0) is None
    assert find_plain(content.replace(b"KEY7 ", b"KEY7\x00"), 0) is None
    behind = find_plain(b" " * BLOCK + content + b"    data", BLOCK)
    assert behind is not None
    assert behind.content == content


@pytest.mark.parametrize(
    "hdu",
    [
        fits.PrimaryHDU(),
        fits.ImageHDU(np.zeros((3, 5, 7), dtype="i2")),
        fits.ImageHDU(np.zeros((0, 5))),
        fits.BinTableHDU.from_columns([fits.Column("A", "PJ()", array=np.array([[1, 2], [3]], dtype=object))]),
        fits.TableHDU.from_columns([fits.Column("A", "F10.3", array=[1.0, 2.0])]),
    ],
    ids=["none", "image", "empty", "heap", "ascii"],
)
def test_the_size_of_the_data_is_astropys(hdu: fits.PrimaryHDU) -> None:
    plain = find_plain(hdu.header.tostring().encode(), 0)
    assert plain is not None
    assert plain.data_size == hdu.header.data_size_padded


@pytest.mark.parametrize("card", ["NAXIS1  = 1.5", "BITPIX  = 'a'", "NAXIS   = T", "GROUPS  = T", "NAXIS   = 12"])
def test_a_size_that_is_not_plain_is_left_to_astropy(card: str) -> None:
    plain = find_plain(header_of(card, "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 3"), 0)
    assert plain is not None
    assert plain.data_size is None


@pytest.mark.parametrize("release", ["dr16", "dr17", "sdss5"])
def test_headers_of_every_release_are_plain_and_say_what_astropy_reads(tmp_path: Path, release: str) -> None:
    (path, *_) = SyntheticSurvey(tmp_path, release, n_stars=2, nights=3).observe_all()
    content = Path(path).read_bytes()
    with fits.open(path) as hdus:
        for hdu in hdus:
            plain = find_plain(content, hdu._header_offset)
            assert plain is not None
            assert plain.data_size == hdu._data_size
            for keyword in {*hdu.header, "ABSENT"}:
                assert keyword in ("", "COMMENT", "HISTORY") or plain.value(keyword) in (
                    hdu.header.get(keyword),
                    UNCLEAR,
                )


def test_random_damage_is_never_read_otherwise(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    header = Header([("SIMPLE", True), ("SNR", 12.5, "S/N"), ("OBJ", "2M0", "star"), ("N", 3), ("FLAG1", "A,B")])
    for _ in range(3000):
        content = bytearray(header.tostring().encode())
        for place in rng.integers(0, 6 * CARD, rng.integers(1, 4)):
            content[place] = rng.integers(32, 127)
        plain = find_plain(bytes(content), 0)
        for keyword in ("SIMPLE", "SNR", "OBJ", "N", "FLAG1") if plain else ():
            value = plain.value(keyword)
            try:
                expected = by_astropy(bytes(content), keyword)
            except (VerifyError, ValueError):
                expected = None  # as apogee_labels.fits.content takes it
            assert value is UNCLEAR or (type(value), value) == (type(expected), expected), bytes(content[: 6 * CARD])
