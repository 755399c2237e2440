"""The base of every set of parameters: one typed object from which a form, an operator's arguments and an identity come.

A field says its title, description, default and bounds once.  Values may come as text, as from a command line, from REST or
from a template that is not rendered natively; what cannot be is refused with a sentence that a person can act on.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

NOTHING = (None, "", "None", "null")
"""What a form, a command line or a template gives for a value that is not given."""

WORDS = {
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "too_long": "a shorter list",
    "too_short": "a longer list",
    "missing": "a longer list",
}
"""What is expected, where pydantic speaks of Python."""


class Parameters(BaseModel):
    """Parameters that are checked when they are made, and do not change.

    Raises
    ------
    ValueError
        One is missing, unknown, of another type or out of its range: a sentence each, with its name first, what was expected
        and what came.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as fault:
            raise ValueError("\n".join(_sentence(type(self), error) for error in fault.errors())) from None

    def replace(self, **changes: Any) -> Self:
        """Return the same with some values changed; they are checked as well."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)

    @model_validator(mode="before")
    @classmethod
    def _read_texts(cls, given: Any) -> Any:
        """Take text for what it says, and nothing for the default where a field cannot be empty."""
        read = {}
        for name, value in given.items():
            field = cls.model_fields.get(name)
            if field is None:
                read[name] = value
            elif isinstance(value, str | None) and value in NOTHING:
                if type(None) in get_args(field.annotation):
                    read[name] = None
            else:
                read[name] = _collection(value, get_origin(field.annotation)) if isinstance(value, str) else value
        return read


def _collection(text: str, kind: Any) -> Any:
    """Return what a text says where a list or an object is wanted: JSON, a Python literal, or names with commas between."""
    if kind not in (tuple, Mapping):
        return text
    for parse in (json.loads, ast.literal_eval):
        try:
            parsed = parse(text)
        except (ValueError, SyntaxError):
            continue
        return parsed if isinstance(parsed, Sequence | Mapping) else [text]
    return text.strip("[]()").replace(",", " ").split() if kind is tuple else text


def _sentence(model: type[BaseModel], error: ErrorDetails) -> str:
    """Say what is wrong with one value."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    name = str(error["loc"][0])
    field = model.model_fields.get(name)
    if field is None:
        return f"{name}: expected one of {', '.join(model.model_fields)}."
    such_as = f", such as {json.dumps(field.examples[0])}" if field.examples else ""
    if error["type"] == "missing" and len(error["loc"]) == 1:
        return f"{name}: expected {field.description or field.title}{such_as}, got nothing."
    where = f" of {error['loc'][1]}" if len(error["loc"]) > 1 and isinstance(error["loc"][1], str) else ""
    bounds = _bounds(field) if len(error["loc"]) == 1 and "than" in error["type"] else None
    wanted = bounds or WORDS.get(error["type"]) or error["msg"].removeprefix("Input should be ")
    return f"{name}{where}: expected {wanted}{such_as}, got {error['input']!r}."


def _bounds(field: FieldInfo) -> str | None:
    """Return the range of a number in words."""
    bounds = {
        kind: getattr(item, kind) for item in field.metadata for kind in ("ge", "gt", "le") if hasattr(item, kind)
    }
    if {"ge", "le"} <= set(bounds):
        return f"{bounds['ge']:g} to {bounds['le']:g}"
    if "ge" in bounds:
        return f"{bounds['ge']:g} or more"
    return f"more than {bounds['gt']:g}" if "gt" in bounds else None
