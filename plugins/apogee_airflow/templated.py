"""The type of operator arguments that are rendered before `execute`."""

from __future__ import annotations

import ast
import json
from typing import Any, TypeAlias

Templated: TypeAlias = Any
"""A value, a Jinja template for it, or another task's output: it is the value only when ``execute`` runs."""


def rendered_axis(value: Templated) -> int | None:
    """Return a ``sum_axis`` as a number or None, also where a DAG without native rendering makes text of it.

    >>> rendered_axis("0"), rendered_axis("None"), rendered_axis(None)
    (0, None, None)
    """
    return None if value in (None, "", "None") else int(value)


def rendered_flag(value: Templated) -> bool:
    """Return a switch as a boolean, also where a DAG without native rendering makes text of it.

    >>> rendered_flag("True"), rendered_flag("false"), rendered_flag(1), rendered_flag(None)
    (True, False, True, False)

    Raises
    ------
    ValueError
        It is neither on nor off.
    """
    word = str(value).strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off", "none", ""):
        return False
    raise ValueError(f"expected true or false, got {value!r}.")


def rendered_days(value: Templated) -> float | None:
    """Return a number of days or None, also where a DAG without native rendering makes text of it.

    >>> rendered_days("30"), rendered_days("None"), rendered_days("")
    (30.0, None, None)
    """
    return None if value in (None, "", "None") else float(value)


def rendered_names(value: Templated) -> tuple[str, ...]:
    """Return names from a list or from one text, also where a DAG without native rendering makes text of a list.

    >>> rendered_names("TEFF, LOGG"), rendered_names("['TEFF', 'LOGG']"), rendered_names(["TEFF"])
    (('TEFF', 'LOGG'), ('TEFF', 'LOGG'), ('TEFF',))
    """
    if not isinstance(value, str):
        return tuple(value)
    return tuple(value.strip("[]()").translate(str.maketrans("", "", "'\"")).replace(",", " ").split())


def rendered_value(value: Templated) -> Any:
    """Return a value of any kind, also where a form or a DAG without native rendering makes text of it; no word is changed.

    >>> rendered_value('{"FE_H": [[1, 2]]}'), rendered_value("[None, 4.0]"), rendered_value("null"), rendered_value("bad")
    ({'FE_H': [[1, 2]]}, [None, 4.0], None, 'bad')
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text in ("", "None", "null"):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError):
            continue
    return text
