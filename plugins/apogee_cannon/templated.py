"""The type of operator arguments that are rendered before `execute`."""

from __future__ import annotations

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
