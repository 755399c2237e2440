"""The type of operator arguments that are rendered before `execute`."""

from __future__ import annotations

from typing import Any, TypeAlias

Templated: TypeAlias = Any
"""A value, a Jinja template for it, or another task's output: it is the value only when ``execute`` runs."""
