"""What a benchmark measures, and how it is written in a table."""

from __future__ import annotations

from enum import Enum


class Quantity(Enum):
    """A unit, and whether more of it is better."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    RATE = "/s"
    MEGABYTES = "MB"

    def text(self, value: float) -> str:
        """Write a value with two or three digits: ``0.85 s``, ``7,900/s``, ``3.3 h``."""
        if self is Quantity.RATE:
            return f"{_digits(value)}/s"
        if self is Quantity.SECONDS and value >= 100.0:
            return f"{_digits(value / 60.0)} min" if value < 6000.0 else f"{_digits(value / 3600.0)} h"
        return f"{_digits(value)} {self.value}"

    def gain(self, value: float, baseline: float) -> float:
        """How many times better a value is than the baseline."""
        return value / baseline if self is Quantity.RATE else baseline / value

    def reaches(self, value: float, target: float) -> bool:
        """Whether a value is as good as the target or better."""
        return self.gain(value, target) >= 1.0


def _digits(value: float) -> str:
    """Two digits, three from 1000 on; no exponent."""
    if value >= 1000.0:
        return f"{round(value, 3 - len(str(int(value)))):,.0f}"
    return f"{value:.0f}" if value >= 10.0 else f"{value:.1f}" if value >= 1.0 else f"{value:.2f}"


def gain_text(gain: float) -> str:
    """Write how many times better: ``25 x``."""
    return f"{_digits(gain)} x"
