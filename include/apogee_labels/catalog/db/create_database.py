"""The PostgreSQL database of the catalogue, created on its server."""

from __future__ import annotations

import sqlalchemy as sa


def create_database(url: str | sa.URL) -> bool:
    """Create the database of a URL on its server.

    Parameters
    ----------
    url
        A SQLAlchemy URL of PostgreSQL, whose user may create databases.

    Returns
    -------
    bool
        True when it was created, False when it was there.

    Raises
    ------
    ValueError
        The URL names no PostgreSQL database.
    sqlalchemy.exc.OperationalError
        The server does not answer or refuses the user.
    """
    target = sa.make_url(url)
    if target.get_backend_name() != "postgresql" or not target.database:
        raise ValueError(f"expected a URL like postgresql+psycopg2://user@host/name, got {target}: give one")
    # CREATE DATABASE runs outside of any transaction, and on a connection to another database.
    engine = sa.create_engine(target.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        query = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.scalar(query, {"name": target.database}):
            return False
        name = engine.dialect.identifier_preparer.quote(target.database)
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    return True
