"""Creating and upgrading the schema, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, column, inspect, select, table, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from apogee_labels.catalog.db.database import CatalogError, Database
from apogee_labels.catalog.db.schema import HEAD
from apogee_labels.core.identity import digest_bytes

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
VERSION_QUERY = select(column("version_num", String)).select_from(table(VERSION_TABLE))
ADVISORY_LOCK = int(digest_bytes(b"apogee-cannon catalogue")[:15], 16)
"""The number by which PostgreSQL knows the upgrade's lock."""


def ensure_schema(database: Database) -> None:
    """Bring `database` to :data:`HEAD`: one SELECT when it is there already.

    Raises
    ------
    CatalogError
        Its schema is newer than this code, or another application's.
    """
    if _is_current(database):
        return
    with _sqlite_lock(database), database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        version = schema_version(connection)
        if version is not None and version not in _known_versions(connection):
            raise CatalogError(
                f"{database!r} has schema version {version!r}, which this code (at {HEAD}) does not know: "
                "update the code, or choose a database that is not another application's."
            )
        if version != HEAD:
            upgrade_schema(connection)


def schema_version(connection: Connection) -> str | None:
    """Return the schema's version, ``None`` when there is no schema yet."""
    return connection.execute(VERSION_QUERY).scalar() if inspect(connection).has_table(VERSION_TABLE) else None


def _is_current(database: Database) -> bool:
    """Whether the schema is at the newest version, in one statement; an error is for the slow way to explain."""
    try:
        with database.read() as connection:
            return connection.execute(VERSION_QUERY).scalar() == HEAD
    except (OperationalError, ProgrammingError):
        return False


def _known_versions(connection: Connection) -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(migration_config(connection)).walk_revisions()}


def upgrade_schema(connection: Connection) -> None:
    """Run the migrations that `connection`'s database lacks, in the transaction that it is in."""
    from alembic import command

    command.upgrade(migration_config(connection), "head")


def write_revision(message: str) -> None:
    """Write a revision from the difference between ``schema.py`` and the newest one, numbered after :data:`HEAD`."""
    from alembic import command

    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'catalog.db'}")
        with database.write() as connection:
            upgrade_schema(connection)
            command.revision(migration_config(connection), message, autogenerate=True, rev_id=f"{int(HEAD) + 1:04d}")
        database.close()


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration: where the revisions are, and the connection to run them over."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _sqlite_lock(database: Database) -> Iterator[None]:
    """Hold the lock file beside a SQLite database, and give it its write-ahead log.

    The change to write-ahead logging cannot be made inside a transaction and does not wait for other connections: it
    needs a lock of its own.
    """
    if database.url.get_backend_name() != "sqlite":
        yield
        return
    handle = os.open(f"{database.url.database}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        database.use_write_ahead_log()
        yield
    finally:
        os.close(handle)
