"""How Alembic reaches the catalogue: over the connection that :mod:`apogee_labels.catalog.db.upgrade` gives it.

A new revision, after a change of ``schema.py`` (its number becomes ``HEAD``)::

    apogee-labels catalog revise "what changed"
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from apogee_labels.catalog.db.schema import metadata


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write a column type of the project as the plain type below it: a migration must not change with the code."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
