"""A catalogue on each database: every test that takes `catalog` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db.schema import metadata
from tests.apogee_labels.catalog.catalog_samples import model
from tests.support.postgres import postgres_database

BACKENDS = [pytest.param("sqlite", id="sqlite"), pytest.param("postgres", id="postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BACKENDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database in which there is nothing yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalog.db'}"
        return
    with postgres_database() as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def fresh_catalog(empty_url: str) -> Iterator[Catalog]:
    """A catalogue in a database of its own, for tests that change the schema."""
    with Catalog.open(empty_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty catalogue to copy."""
    path = tmp_path_factory.mktemp("catalog") / "catalog.db"
    Catalog.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgres_catalog() -> Iterator[Catalog]:
    """A catalogue that the tests of a session share, one after the other."""
    with postgres_database() as url, Catalog.open(url) as opened:
        yield opened


@pytest.fixture(params=BACKENDS)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalogue."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path)
        with Catalog.open(f"sqlite:///{path}") as opened:
            yield opened
        return
    opened = request.getfixturevalue("postgres_catalog")
    with opened._database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    yield opened


@pytest.fixture
def with_model(catalog: Catalog) -> Catalog:
    """A catalogue with a model in force as `giants`."""
    catalog.models.record(model())
    catalog.models.put_in_force("giants", model().id, "test")
    return catalog
