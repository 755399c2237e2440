"""The base of the project's bit masks: integer flags whose bits explain themselves to a person."""

from __future__ import annotations

from enum import IntFlag
from typing import Self


class Bitmask(IntFlag):
    """An integer flag whose members are written as (value, sentence)."""

    _explanation: str

    def __new__(cls, value: int, explanation: str = "") -> Self:  # noqa: D102 - members are (value, sentence)
        member = int.__new__(cls, value)
        member._value_ = value
        member._explanation = explanation
        return member

    @property
    def sentence(self) -> str:
        """What the bits that are set mean, a sentence each; bits without a known meaning are left out."""
        return " ".join(bit._explanation for bit in self)
