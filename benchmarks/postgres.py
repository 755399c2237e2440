"""A PostgreSQL database for as long as a measurement takes."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from benchmarks.workbench import NotMeasuredError

SERVER = "TEST_POSTGRES_URL"
"""Environment variable that names a server on which databases may be made; the tests use the same."""
_DEFAULT = "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres"


@contextmanager
def postgres_database() -> Iterator[str]:
    """Make a database, give its URL, and drop it afterwards.

    Raises
    ------
    NotMeasuredError
        No server answers.
    """
    server = make_url(os.environ.get(SERVER, _DEFAULT))
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = f"benchmark_{uuid.uuid4().hex}"
    try:
        _execute(engine, f"CREATE DATABASE {name}")
    except OperationalError as error:
        raise NotMeasuredError(f"no PostgreSQL answers at {server.host}:{server.port} ({SERVER})") from error
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(engine, f"DROP DATABASE {name} WITH (FORCE)")
        engine.dispose()


def _execute(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.execute(text(statement))
