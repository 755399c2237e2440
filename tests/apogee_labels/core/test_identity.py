"""Digests: the same things are known by the same one, on every machine and for ever."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.core.identity import SHORT, digest_bytes, digest_file, digest_of, short


def test_a_known_identity_stays_what_it_is() -> None:
    """If this fails, every product of every installation has lost its name."""
    text = b'{"kind":"normalization","order":3,"regions":[[15161.84,15162.2],[1,2.5]],"sum_axis":null}'
    identity = digest_of(kind="normalization", regions=[(15161.84, 15162.2), (1.0, 2.5)], order=3, sum_axis=None)
    assert identity == hashlib.sha256(text).hexdigest()
    assert identity == "cd14714c367acb9f4d626195ee88b0a7ed20064925f9cd8a81af5f66ef02ce0a"


def test_the_order_of_names_does_not_count_and_that_of_a_list_does() -> None:
    assert digest_of(a=1, b={"x": 1, "y": 2}) == digest_of(b={"y": 2, "x": 1}, a=1)
    assert digest_of(names=["TEFF", "LOGG"]) != digest_of(names=["LOGG", "TEFF"])


def test_a_whole_float_is_the_integer_it_equals_at_any_depth() -> None:
    assert digest_of(order=3, deep=[{"length": 1400}]) == digest_of(order=3.0, deep=({"length": 1400.0},))
    assert digest_of(zero=0) == digest_of(zero=-0.0)
    assert digest_of(order=3) != digest_of(order=3.5)


def test_what_differs_has_another_identity() -> None:
    different = [
        digest_of(a=1), digest_of(b=1), digest_of(a="1"), digest_of(a=[1]), digest_of(a=None), digest_of(a=True),
        digest_of(a=0.1), digest_of(a=math.nextafter(0.1, 1)), digest_of(),
    ]  # fmt: skip
    assert len(set(different)) == len(different)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_identifies_nothing(value: float) -> None:
    with pytest.raises(ValueError, match=r"JSON|compliant"):
        digest_of(a=[value])


@pytest.mark.parametrize("value", [np.float32(1.5), np.int64(1), np.array([1.5]), Path("x"), {1, 2}, b"x"])
def test_what_is_not_plain_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        digest_of(a=value)


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    content = b"x" * 3_000_000
    first.write_bytes(content)
    second.write_bytes(content)
    assert digest_file(first) == digest_file(str(second)) == digest_bytes(content) == digest_bytes(memoryview(content))
    second.write_bytes(content[:-1] + b"y")
    assert digest_file(first) != digest_file(second)
    with pytest.raises(FileNotFoundError):
        digest_file(tmp_path / "none")


def test_people_read_the_first_characters() -> None:
    assert short("0123456789abcdef") == "0123456789ab"
    assert len(short("f" * 64)) == SHORT
