"""The database behind the catalogue: its URL, its engine, and transactions that wait for each other instead of failing.

PostgreSQL's connections are opened for a transaction and closed after it (``NullPool``): a process that is forked inherits
none.  A SQLite database keeps one open until it is closed itself: its last connection tidies the write-ahead log when it
goes, which takes longer than most transactions.  A forked process does not touch one that it inherited.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DisconnectionError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from apogee_labels.catalog.db.columns import canonical_json

BUSY_SECONDS = 30
"""How long a SQLite connection waits for another one's transaction."""

WRITES = "catalog_writes"
EXAMPLES = "expected sqlite:////absolute/path.db or postgresql://user@host/name"
POSTGRESQL_NAMES = ("postgres", "postgresql")

Row = Mapping[str, Any]


class CatalogError(RuntimeError):
    """The catalogue cannot be opened or does not take what it is given: for a person to mend, not to be retried."""


class Database:
    """An engine with one way to read and one way to write.

    Parameters
    ----------
    url
        An SQLAlchemy URL; see :func:`parse_url`.

    Raises
    ------
    CatalogError
        The URL is not one, or names a database or a driver that is not installed.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = parse_url(url)
        self._reading, self._pid = _make_engine(self.url), os.getpid()
        self._writing = self._reading.execution_options(**{WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Return a connection in a transaction that only reads."""
        with self._reading.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Return a connection in a transaction that only reads, and all of whose queries see one moment."""
        is_postgresql = self.url.get_backend_name() == "postgresql"
        engine = self._reading.execution_options(isolation_level="REPEATABLE READ") if is_postgresql else self._reading
        with engine.begin() as connection:  # SQLite's transactions are like this by themselves
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Return a connection in a transaction that writes, committed when the block ends well.

        On SQLite it takes the one writer's lock at its beginning: a transaction that read first and wrote later would
        be refused at once, however long it is ready to wait.

        Raises
        ------
        CatalogError
            A row names another one that is not there, or holds a value that its column does not take.
        """
        try:
            with self._writing.begin() as connection:
                yield connection
        except (IntegrityError, DataError) as error:
            raise CatalogError(
                f"the catalogue takes no such row ({' '.join(str(error.orig).split())}): record a spectrum before its "
                "normalisation, that and the model before a result, and no value that is longer than its column."
            ) from error

    def use_write_ahead_log(self) -> None:
        """Let readers of a SQLite database go on while one writes; the file remembers it."""
        with closing(sqlite3.connect(str(self.url.database), timeout=BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url.render_as_string(hide_password=True)!r})"

    def close(self) -> None:
        """Let go of what the engine holds."""
        self._reading.dispose(close=self._pid == os.getpid())


def parse_url(url: str | URL) -> URL:
    """`url` made definite: an absolute path for SQLite, a named driver for PostgreSQL.

    Raises
    ------
    CatalogError
        It is no URL, of another database, or a SQLite database in memory, which no second connection would see.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise CatalogError(f"the catalogue's URL cannot be read: {EXAMPLES}.") from error
    if parsed.drivername in POSTGRESQL_NAMES:
        return parsed.set(drivername="postgresql+psycopg2")
    if parsed.get_backend_name() == "postgresql":
        return parsed
    if parsed.get_backend_name() != "sqlite":
        raise CatalogError(f"no catalogue can be kept by {parsed.drivername!r}: {EXAMPLES}.")
    if parsed.database in (None, "", ":memory:") or str(parsed.database).startswith("file:"):
        raise CatalogError(f"{parsed} names no file, and every connection needs the same one: {EXAMPLES}.")
    return parsed.set(database=os.path.abspath(str(parsed.database)))  # noqa: PTH100 - resolve() would follow links


def insert_once(connection: Connection, table: Table, row: Row) -> bool:
    """Insert `row` unless its primary key is there: whether it was inserted.  Of two that race, one inserts."""
    return connection.execute(_insert(connection, table).values(row).on_conflict_do_nothing()).rowcount == 1


def insert_each_once(connection: Connection, table: Table, rows: Sequence[Row]) -> set[Any]:
    """Insert those of `rows` whose primary key, one column, is not there; the keys that were inserted.

    Rows are taken in the order of their keys: of two processes that insert the same ones, one waits for the other, and
    never each for the other.
    """
    if not rows:
        return set()
    (key,) = table.primary_key
    rows = sorted(rows, key=lambda row: row[key.name])
    return set(connection.scalars(_insert(connection, table).on_conflict_do_nothing().returning(key), rows))


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert `rows`, or update those whose primary key is there.

    Rows are taken in the order of their keys, so that two processes that upsert the same ones wait, and never for
    each other.
    """
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    rows = sorted(rows, key=lambda row: tuple(row[key] for key in keys))
    statement = _insert(connection, table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), rows)


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _make_engine(url: URL) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite:
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    pool = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": -1} if is_sqlite else {"poolclass": NullPool}
    # Of several threads each has the one that is kept in turn, or one of its own.
    arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False} if is_sqlite else {}
    try:
        engine = create_engine(url, json_serializer=canonical_json, connect_args=arguments, **pool)
    except NoSuchModuleError as error:
        raise CatalogError(f"no driver is known by the name {url.drivername!r}: {EXAMPLES}.") from error
    except ModuleNotFoundError as error:
        raise CatalogError(
            f"{url.drivername} needs the Python package {error.name}: install it, or {EXAMPLES}."
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "checkout", _refuse_inherited)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


_inherited: list[object] = []
"""Connections of a parent process: closing them here would take its locks from it."""


def _refuse_inherited(connection: sqlite3.Connection, record: Any, proxy: Any) -> None:
    """Have SQLAlchemy make a new connection in place of one that another process opened."""
    if record.info["pid"] != os.getpid():
        _inherited.append(connection)
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("this connection belongs to another process: a new one takes its place")


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    """Python's driver would begin transactions at moments of its own: that is left to :func:`_begin_sqlite`."""
    record.info["pid"] = os.getpid()
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")
