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
