"""Values as JSON has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any


def plain(value: Any) -> Any:
    """Return a value as JSON has it: no tuples, moments in ISO 8601 to the second, null for what is not a finite number."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain_fields(record: object, names: str) -> dict[str, Any]:
    """Return some attributes of a record as :func:`plain` does, in the order of their names, which blanks separate."""
    return {name: plain(getattr(record, name)) for name in names.split()}
