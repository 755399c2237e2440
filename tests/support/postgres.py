"""A PostgreSQL database of a test's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.support.required import require

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")


@contextmanager
def postgres_database() -> Iterator[URL]:
    """A database of its own, dropped afterwards; without a server the test is skipped, in CI it fails."""
    name = f"catalog_test_{uuid.uuid4().hex}"
    try:
        _execute(f"CREATE DATABASE {name}")
    except OperationalError as error:
        require(None, f"no PostgreSQL server answers (TEST_POSTGRES_URL): {str(error.orig).splitlines()[0]}")
    try:
        yield make_url(SERVER).set(database=name)
    finally:
        _execute(f"DROP DATABASE {name} WITH (FORCE)")


def _execute(statement: str) -> None:
    engine = create_engine(SERVER, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
