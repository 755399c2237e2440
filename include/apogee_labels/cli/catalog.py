"""The catalogue's database."""

from __future__ import annotations

import click


@click.group()
def catalog() -> None:
    """The catalogue's database (APOGEE_LABELS_CATALOG_URL)."""


@catalog.command()
def create() -> None:
    """Create the database, on PostgreSQL too, or bring the schema of one that is there up to date."""
    from apogee_labels.catalog import Catalog
    from apogee_labels.catalog.db.create_database import create_database
    from apogee_labels.catalog.db.database import parse_url
    from apogee_labels.core.settings import Settings

    url = parse_url(Settings().catalog_url)
    is_new = url.get_backend_name() == "postgresql" and create_database(url)
    Catalog.open(url).close()
    click.echo(f"{url.database}: {'created' if is_new else 'up to date'}")


@catalog.command()
@click.argument("message")
def revise(message: str) -> None:
    """Write a new revision from the difference between schema.py and the newest one; then read it, and set HEAD."""
    from apogee_labels.catalog.db.upgrade import write_revision

    write_revision(message)
