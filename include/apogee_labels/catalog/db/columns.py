"""Column types: how a record's values are written, so that every database gives back what it was given."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, String
from sqlalchemy.types import TypeDecorator


def canonical_json(value: object) -> str:
    """`value` as JSON that is the same text whenever it is the same value: sorted names, no spaces, no NaN.

    Raises
    ------
    ValueError
        A float in it is NaN or infinite, which JSON cannot say.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


class UtcTime(TypeDecorator[datetime]):
    """A moment: stored in UTC, with its zone where the database can, and always read as an aware UTC time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone: nobody could say later which one was meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a time with a zone, got {value.isoformat()}: use datetime.now(UTC).")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite forgets the zone, PostgreSQL answers in that of its session."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Real(TypeDecorator[float]):
    """A double; NaN is stored as NULL, which every database compares and averages rightly, and read as NaN."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Numpy's numbers become Python's."""
        return None if value is None or math.isnan(value) else float(value)

    def process_result_value(self, value: float | None, dialect: Dialect) -> float:
        """NULL is NaN."""
        return math.nan if value is None else value


class Whole(TypeDecorator[int]):
    """A whole number of 64 bits; flags and numpy's integers become Python's, which is what drivers take."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Plain `int`, or NULL."""
        return None if value is None else int(value)


E = TypeVar("E", bound=StrEnum)


class Word(TypeDecorator[E], Generic[E]):
    """A member of `words`, stored as its value."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        """Only members pass: a misspelt state is found when it is written."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        """Return the member."""
        return None if value is None else self.words(value)


class Names(TypeDecorator[tuple[str, ...]]):
    """Names in their order, as a JSON list."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Iterable[str] | None, dialect: Dialect) -> list[str] | None:
        """Return a list, which is what JSON has."""
        return None if value is None else list(value)

    def process_result_value(self, value: list[str] | None, dialect: Dialect) -> tuple[str, ...]:
        """Return a tuple, as records hold it."""
        return tuple(value or ())


class Matrix(TypeDecorator[tuple[tuple[float, ...], ...]]):
    """A matrix as a nested JSON list; what is not finite is stored as null and read as NaN."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Iterable[Iterable[float]] | None, dialect: Dialect) -> Any:
        """Rows of plain numbers."""
        if value is None:
            return None
        return [[float(item) if math.isfinite(item) else None for item in row] for row in value]

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[tuple[float, ...], ...]:
        """Rows as tuples; null is NaN."""
        return tuple(tuple(math.nan if item is None else float(item) for item in row) for row in value or ())
