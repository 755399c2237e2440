"""The bits are those of the data model, and each explains itself."""

from __future__ import annotations

import pickle
from enum import IntFlag

import pytest

from apogee_labels.apogee.spectra.masks import (
    BAD_ASPCAP,
    BAD_PIXEL,
    BAD_STAR,
    UNFIT_STAR,
    AspcapFlag,
    ExtraTarget,
    PixelMask,
    StarFlag,
)
from apogee_labels.core.bitmask import Bitmask


def test_bad_pixels_are_bits_0_to_7_and_14() -> None:
    assert int(BAD_PIXEL) == 16639
    assert {bit.bit_length() - 1 for bit in BAD_PIXEL} == {*range(8), 14}


def test_bad_stars_are_bits_0_3_18_22() -> None:
    assert {bit.bit_length() - 1 for bit in BAD_STAR} == {0, 3, 18, 22}


@pytest.mark.parametrize(
    ("bit", "flag"),
    [
        (0, PixelMask.BADPIX),
        (6, PixelMask.BADERR),
        (8, PixelMask.LITTROW_GHOST),
        (11, PixelMask.PERSIST_LOW),
        (12, PixelMask.SIG_SKYLINE),
        (13, PixelMask.SIG_TELLURIC),
        (14, PixelMask.NOT_ENOUGH_PSF),
        (4, StarFlag.LOW_SNR),
        (9, StarFlag.PERSIST_HIGH),
        (16, StarFlag.SUSPECT_RV_COMBINATION),
        (19, StarFlag.RV_REJECT),
        (22, StarFlag.RV_FAIL),
        (7, AspcapFlag.STAR_WARN),
        (11, AspcapFlag.SN_WARN),
        (23, AspcapFlag.STAR_BAD),
        (31, AspcapFlag.NO_ASPCAP_RESULT),
        (4, ExtraTarget.DUPLICATE),
    ],
)
def test_bits_have_their_places(bit: int, flag: IntFlag) -> None:
    assert int(flag) == 1 << bit


def test_the_faults_of_aspcapflag_are_the_bits_from_16_on() -> None:
    assert all(
        (int(flag) & BAD_ASPCAP != 0) == (flag.name.endswith("_BAD") or "NO_" in flag.name) for flag in AspcapFlag
    )
    assert 1 << 41 & BAD_ASPCAP


def test_a_bad_star_is_no_example() -> None:
    assert UNFIT_STAR & BAD_STAR == BAD_STAR


@pytest.mark.parametrize("flags", [PixelMask, StarFlag, AspcapFlag, ExtraTarget])
def test_every_bit_has_a_sentence_of_its_own(flags: type[Bitmask]) -> None:
    sentences = [flag.sentence for flag in flags]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence[0].isupper() and sentence.endswith(".") and len(sentence) > 20 for sentence in sentences)


def test_the_sentences_of_several_bits_follow_each_other() -> None:
    both = StarFlag.LOW_SNR | StarFlag.RV_FAIL
    assert both.sentence == f"{StarFlag.LOW_SNR.sentence} {StarFlag.RV_FAIL.sentence}"
    assert StarFlag(0).sentence == ""


def test_bits_that_are_not_known_are_kept_and_stay_silent() -> None:
    flag = StarFlag(1 << 40 | 1 << 4)
    assert int(flag) == 1 << 40 | 1 << 4
    assert flag.sentence == StarFlag.LOW_SNR.sentence


def test_flags_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(BAD_STAR)) is BAD_STAR
