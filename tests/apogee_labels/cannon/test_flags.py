"""The bits of a result."""

from __future__ import annotations

import pytest

from apogee_labels.cannon.flags import ResultFlag


@pytest.mark.parametrize("flag", ResultFlag)
def test_every_bit_has_a_sentence(flag: ResultFlag) -> None:
    assert flag.sentence[0].isupper()
    assert flag.sentence.endswith(".")


def test_sentences_of_several_bits_follow_each_other() -> None:
    both = ResultFlag.LOW_SNR | ResultFlag.NO_INFORMATION
    assert both.sentence == f"{ResultFlag.NO_INFORMATION.sentence} {ResultFlag.LOW_SNR.sentence}"
    assert ResultFlag(0).sentence == ""


def test_values_that_are_in_catalogues_never_change() -> None:
    assert {flag.name: flag.value for flag in ResultFlag} == {
        "NO_INFORMATION": 1 << 0,
        "NOT_CONVERGED": 1 << 1,
        "SINGULAR": 1 << 2,
        "AT_BOUND": 1 << 3,
        "NO_LINES": 1 << 4,
        "SEVERAL_MINIMA": 1 << 8,
        "OUTSIDE_TRAINING": 1 << 9,
        "HIGH_CHI_SQUARE": 1 << 10,
        "UNLIKE_TRAINING_SET": 1 << 11,
        "FEW_TRAINING_STARS": 1 << 12,
        "LOW_SNR": 1 << 16,
        "FEW_PIXELS": 1 << 17,
        "BAD_STARFLAG": 1 << 18,
        "INVALID_PIXELS": 1 << 19,
    }
