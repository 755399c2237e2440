"""The type of operator arguments that are rendered before `execute`.

The project's DAGs render natively, so that numbers, switches and lists come as such.  Another DAG need not: what it renders
is text, which typed parameters read (:mod:`apogee_labels.core.parameters`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

Templated: TypeAlias = Any
"""A value, a Jinja template for it, or another task's output: it is the value only when ``execute`` runs."""


def is_on(switch: Templated) -> bool:
    """Return a switch as a boolean, also where it comes as text.

    >>> is_on("True"), is_on("off"), is_on(1), is_on(None)
    (True, False, True, False)

    Raises
    ------
    ValueError
        It is neither on nor off.
    """
    word = str(switch).strip().lower()
    if word not in {"true", "1", "yes", "on", "false", "0", "no", "off", "none", ""}:
        raise ValueError(f"expected true or false, got {switch!r}.")
    return word in {"true", "1", "yes", "on"}
