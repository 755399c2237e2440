"""The catalogue's database is created once, on a real server."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db.create_database import create_database
from tests.support.command import output_of
from tests.support.required import require

DEFAULT_URL = "postgresql+psycopg2://postgres@127.0.0.1/postgres"


@pytest.fixture
def url() -> Iterator[str]:
    server = sa.make_url(os.environ.get("TEST_POSTGRES_URL", DEFAULT_URL))
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        engine.connect().close()
    except sa.exc.OperationalError as error:
        require(False, f"no PostgreSQL at {server}: start one or set TEST_POSTGRES_URL ({type(error).__name__})")
    name = f'te"st {uuid.uuid4().hex}'
    yield server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {engine.dialect.identifier_preparer.quote(name)}"))


@pytest.mark.postgres
def test_database_is_created_once(url: str) -> None:
    assert create_database(url) is True
    assert create_database(url) is False
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_database()")) == sa.make_url(url).database


@pytest.mark.postgres
def test_the_command_creates_database_and_schema(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOGEE_LABELS_CATALOG_URL", url)
    name = sa.make_url(url).database
    assert [output_of("catalog", "create") for _ in range(2)] == [f"{name}: created\n", f"{name}: up to date\n"]
    with Catalog.open(url) as catalog:
        assert catalog.nights.publications() == []


@pytest.mark.parametrize("url", ["sqlite:///catalog.db", "postgresql+psycopg2://user@host"])
def test_url_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected a URL like postgresql\+psycopg2"):
        create_database(url)
