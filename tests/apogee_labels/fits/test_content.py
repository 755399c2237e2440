"""Units opened one by one against ``fits.open``, and files cut short or bent: each an error, none a warning."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.fits.content import CutShortError, read_cards, read_hdus, read_image
from apogee_labels.fits.header import BLOCK
from tests.support.warning_thread import thread_that_warns

LAYOUTS = [("dr16", 1), ("dr16", 3), ("dr17", 1), ("dr17", 4), ("sdss5", 2)]


@pytest.mark.parametrize(("layout", "n_visits"), LAYOUTS)
def test_images_are_those_that_astropy_reads(build_apstar: Callable[..., bytes], layout: str, n_visits: int) -> None:
    content = build_apstar(layout, n_visits)
    hdus = read_hdus(content)
    with fits.open(io.BytesIO(content)) as expected:
        assert len(hdus) == len(expected)
        for number in range(1, 6):
            image = read_image(content, hdus[number])
            assert image.dtype == expected[number].data.dtype
            np.testing.assert_array_equal(image, expected[number].data)
            plain = np.frombuffer(content, image.dtype, image.size, hdus[number].data_start)
            np.testing.assert_array_equal(image.ravel(), plain)


@pytest.mark.parametrize(("layout", "n_visits"), LAYOUTS)
def test_keywords_are_those_that_astropy_reads(build_apstar: Callable[..., bytes], layout: str, n_visits: int) -> None:
    content = build_apstar(layout, n_visits)
    with fits.open(io.BytesIO(content)) as expected:
        for hdu, twin in zip(read_hdus(content), expected, strict=True):
            for keyword, value in twin.header.items():
                if keyword == "COMMENT":
                    continue
                if isinstance(value, str):
                    assert hdu.cards.text(keyword) == value
                elif not isinstance(value, bool):
                    assert hdu.cards.number(keyword) == value


def _cards(**values: object) -> bytes:
    return fits.Header({"SIMPLE": True, **values}).tostring().encode()


def test_values_of_keywords() -> None:
    cards, data_start = read_cards(
        _cards(OBJ="O'Neill / x", BLANK="", NAN="NaN", NEG=-3, BIG=2**40, REAL=1.5e-3, BOOL=True)
    )
    assert cards.text("OBJ") == "O'Neill / x"
    assert cards.text("BLANK") is None
    assert cards.number("NAN") is None
    assert cards.integer("NAN") is None
    assert cards.integer("NEG") == -3
    assert cards.integer("BIG") == 2**40
    assert cards.number("REAL") == 1.5e-3
    assert cards.integer("REAL") is None
    assert cards.number("BOOL") is cards.integer("BOOL") is None
    assert cards.text("NEG") == "-3"
    assert cards.text("ABSENT") is cards.number("ABSENT") is cards.integer("ABSENT") is None
    assert data_start == BLOCK


@pytest.mark.parametrize(
    ("written", "value"), [("1.5D3", 1500.0), ("NaN", None), ("-Inf", None), ("3.", 3.0), ("x", None)]
)
def test_numbers_as_other_writers_have_them(written: str, value: float | None) -> None:
    assert read_cards(_with_value(written))[0].number("VALUE") == value


@pytest.mark.parametrize(
    ("written", "value"),
    [("212.", 212), ("212.5", None), ("1E60", None), ("+7", 7), ("9" * 19, None), (str(2**63 - 1), 2**63 - 1)],
)
def test_whole_numbers_written_as_reals_are_integers(written: str, value: int | None) -> None:
    assert read_cards(_with_value(written))[0].integer("VALUE") == value


def _with_value(written: str) -> bytes:
    return _cards(VALUE=1).replace(f"VALUE   = {1:>20}".encode(), f"VALUE   = {written:>20}".encode())


def test_what_cannot_be_printed_is_no_part_of_a_value() -> None:
    content = _cards(VALUE="a---b").replace(b"a---b", b"a\0\n\xffb")
    assert read_cards(content)[0].text("VALUE") == "a???b"


def test_of_a_repeated_keyword_the_first_counts() -> None:
    header = fits.Header({"SIMPLE": True})
    header.append(("AAA", 1))
    header.append(("AAA", 2))
    assert read_cards(header.tostring().encode())[0].integer("AAA") == 1


def test_a_header_of_many_blocks_is_read_to_its_end() -> None:
    cards, data_start = read_cards(_cards(**{f"KEY{k}": k for k in range(500)}))
    assert cards.integer("KEY499") == 499
    assert data_start == 14 * BLOCK


@pytest.mark.parametrize(
    "content", [b"hello", b"\x89PNG\r\n" * 1000, b"SIMPLE  = T", b"\0" * 5000, b"SIMPLE  =" * 1000]
)
def test_what_is_not_fits_is_unreadable(content: bytes) -> None:
    with pytest.raises(BadInputError) as caught:
        read_hdus(content)
    assert caught.value.reason is Reason.UNREADABLE


def test_a_file_cut_anywhere_but_between_two_units_is_unreadable(build_apstar: Callable[..., bytes]) -> None:
    content = build_apstar("dr16", 2)
    between = [hdu.data_start - BLOCK for hdu in read_hdus(content)[1:]]  # there a file ends as a shorter one would
    for cut in np.random.default_rng(1).integers(1, len(content), 300):
        if cut not in between:
            with pytest.raises(BadInputError) as caught:
                read_hdus(content[:cut])
            assert caught.value.reason is Reason.UNREADABLE


def test_records_of_another_kind_may_follow_the_last_unit(build_apstar: Callable[..., bytes]) -> None:
    content = build_apstar("dr17", 1)
    assert len(read_hdus(content + b"\0" * BLOCK)) == len(read_hdus(content)) == 7


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("BITPIX", 17),
        ("NAXIS", -1),
        ("NAXIS", 3000),
        ("NAXIS", 10**15),
        ("NAXIS1", -5),
        ("NAXIS1", 10**25),
        ("PCOUNT", -1),
        ("NAXIS1", "x"),
        ("NAXIS1", "8575."),
        ("NAXIS1", "'8575'"),
        ("GCOUNT", "1.0"),
    ],
)
def test_impossible_sizes_are_unreadable(build_apstar: Callable[..., bytes], keyword: str, value: object) -> None:
    content = build_apstar("dr17", 1)
    start = read_hdus(content)[1].data_start - BLOCK
    card = content.index(f"{keyword:8}= ".encode(), start)
    bent = content[: card + 10] + f"{value:>20}".encode() + content[card + 30 :]
    with pytest.raises(BadInputError) as caught:
        read_hdus(bent)
    assert caught.value.reason is Reason.UNREADABLE


def test_scaled_images_and_tables_are_not_plain_images(build_apstar: Callable[..., bytes]) -> None:
    content = build_apstar("dr17", 1).replace(b"BUNIT   = 'Flux", b"BSCALE  = 2.0 /", 1)
    hdus = read_hdus(content)
    for number in (1, 6):
        with pytest.raises(BadInputError, match=f"HDU {number} to be a plain image") as caught:
            read_image(content, hdus[number])
        assert caught.value.reason is Reason.WRONG_LAYOUT


DAMAGED_CARDS = [b"VALUE   3 6E-06", b"VA\nUE\xff\0\x07 1", b"END 7", b"END\0", b"\n"]


@pytest.mark.parametrize("card", DAMAGED_CARDS)
def test_what_astropy_warns_of_is_an_error_of_one_line(card: bytes) -> None:
    content = _cards(VALUE=1).replace(f"VALUE   = {1:>20}".ljust(80).encode(), card.ljust(80))
    filters = [*warnings.filters]
    with pytest.raises(BadInputError, match="the header at byte 0") as caught:
        read_cards(content)
    assert caught.value.reason is Reason.UNREADABLE
    assert not isinstance(caught.value, CutShortError)
    assert "\n" not in caught.value.message
    assert warnings.filters == filters


def test_a_value_that_is_none_leaves_the_others() -> None:
    cards, _ = read_cards(_with_value("'no end"))
    assert cards.text("VALUE") is cards.number("VALUE") is cards.integer("VALUE") is None
    assert cards.text("SIMPLE") == "T"


def test_a_header_cut_short_may_be_completed() -> None:
    content = _cards(**{f"KEY{k}": k for k in range(100)})
    for cut in (BLOCK, 2 * BLOCK + 7, len(content) - 1):
        with pytest.raises(
            CutShortError, match=f"the file ends at byte {cut}, within the header that begins at byte 0"
        ):
            read_cards(content[:cut])


def test_threads_may_read_at_the_same_time(build_apstar: Callable[..., bytes]) -> None:
    """Warnings have one setting for all threads: none may see another's, and it is as before in the end."""
    good = build_apstar("dr16", 1)
    bad = good.replace(b"BUNIT   = 'Flux", b"B UNIT\0= 'Flux", 1)
    filters = [*warnings.filters]

    def is_readable(content: bytes) -> bool:
        try:
            return len(read_hdus(content)) == 7
        except BadInputError:
            return False

    with ThreadPoolExecutor(8) as pool:
        outcomes = [*pool.map(is_readable, [good, bad] * 50)]
    assert outcomes == [True, False] * 50
    assert warnings.filters == filters


def test_importing_the_reader_imports_no_astropy() -> None:
    code = "import sys, apogee_labels.apogee.spectra.apstar; sys.exit('astropy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_thread_that_warns_meanwhile_goes_on(build_apstar: Callable[..., bytes]) -> None:
    content = build_apstar("dr16", 1)
    with thread_that_warns() as counts:
        for _ in range(30):
            read_hdus(content)
    assert counts[0] > 0
