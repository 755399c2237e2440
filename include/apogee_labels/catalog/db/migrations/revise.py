"""Write a new revision from the difference between ``schema.py`` and the newest one; then read it, and set ``HEAD``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from alembic import command

from apogee_labels.catalog.db.database import Database
from apogee_labels.catalog.db.schema import HEAD
from apogee_labels.catalog.db.upgrade import migration_config, upgrade_schema


def main() -> None:
    """Compare the schema with a fresh database at the newest revision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("message", help="what the revision changes, in a few words")
    message = parser.parse_args().message
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'catalog.db'}")
        with database.write() as connection:
            upgrade_schema(connection)
            command.revision(migration_config(connection), message, autogenerate=True, rev_id=f"{int(HEAD) + 1:04d}")
        database.close()


if __name__ == "__main__":
    main()
