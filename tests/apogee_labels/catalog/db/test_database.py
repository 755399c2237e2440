"""URLs, transactions, and inserting what may be there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.pool import QueuePool

from apogee_labels.catalog import Catalog, CatalogError
from apogee_labels.catalog.db import database, schema
from apogee_labels.catalog.db.database import Database, insert_each_once, insert_once, parse_url, upsert
from apogee_labels.catalog.db.rows import row_of
from apogee_labels.catalog.records import ArchiveFile
from tests.apogee_labels.catalog.catalog_samples import archive_file, content, normalization


def test_a_relative_sqlite_path_is_made_absolute_and_its_folder_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Catalog.open("sqlite:///some/where/catalog.db") as catalog:
        monkeypatch.chdir("/")
        assert catalog.archive.indexed() == {}
        assert catalog.url == f"sqlite:///{tmp_path}/some/where/catalog.db"
    assert (tmp_path / "some" / "where" / "catalog.db").is_file()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_postgresql_goes_by_its_usual_names(scheme: str) -> None:
    assert parse_url(f"{scheme}://me@host/name").drivername == "postgresql+psycopg2"


def test_another_driver_is_left_alone() -> None:
    assert parse_url("postgresql+psycopg://me@host/name").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "cannot be read: expected sqlite"),
        ("catalog.db", "cannot be read: expected sqlite"),
        ("postgres://me:secret@host:port/name", "cannot be read: expected sqlite"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:catalog.db?uri=true", "names no file"),
        ("oracel://me:secret@host/name", "no catalogue can be kept by 'oracel': expected sqlite"),
        ("mysql+pymysql://me:secret@host/name", "no catalogue can be kept by 'mysql\\+pymysql': expected sqlite"),
        ("postgresql+psycop://me:secret@host/name", "no driver is known by the name 'postgresql\\+psycop'"),
        ("postgresql+pg8000://me:secret@host/name", "postgresql\\+pg8000 needs the Python package pg8000"),
    ],
)
def test_a_url_that_leads_nowhere_says_what_was_expected(url: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message) as caught:
        Catalog.open(url)
    assert "secret" not in str(caught.value)


def test_no_password_is_shown() -> None:
    database = Database("postgresql://me:secret@host/name")
    catalog = Catalog(database)
    assert "***" in repr(database)
    assert "***" in repr(catalog)
    assert "secret" not in repr(database) + repr(catalog) + catalog.url + repr(database._reading)
    catalog.close()


def test_a_row_that_refers_to_nothing_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"no such row \(.*\): record a spectrum before"):
        catalog.normalizations.record(normalization(content("never read")))
    assert catalog.duplicates.counts()["normalization"] == 0


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog) -> None:
    row = row_of(archive_file(), schema.archive_file)

    def fail() -> None:
        with catalog._database.write() as connection:
            connection.execute(insert(schema.archive_file), row)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert catalog.archive.indexed() == {}


def test_inserting_once(catalog: Catalog) -> None:
    first, second = (row_of(archive_file(size=size), schema.archive_file) for size in (1, 2))
    with catalog._database.write() as connection:
        assert [insert_once(connection, schema.archive_file, row) for row in (first, second)] == [True, False]
    assert catalog.archive.indexed()["/sas/star.fits"].size == 1


def test_upserting_updates_what_is_there(catalog: Catalog) -> None:
    before = [archive_file(name) for name in "abc"]
    after = [archive_file(name, size=7) for name in "dcb"]
    with catalog._database.write() as connection:
        for files in (before, after):
            upsert(connection, schema.archive_file, [row_of(file, schema.archive_file) for file in files])
        query = select(schema.archive_file).order_by("path")
        found = [ArchiveFile(**row._mapping) for row in connection.execute(query)]
    assert found == [before[0], after[2], after[1], after[0]]


def open_files(folder: Path) -> set[str]:
    """Names of the files below a folder that this process has open."""
    targets = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {target.name for target in targets if target.is_relative_to(folder)}


def test_one_connection_is_kept_and_none_outlives_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with Catalog.open(f"sqlite:///{path}") as catalog:
        catalog.archive.index([archive_file()])
        assert open_files(tmp_path) == {"catalog.db", "catalog.db-wal", "catalog.db-shm"}
        pool = catalog._database._reading.pool
        assert isinstance(pool, QueuePool)
        assert (pool.checkedin(), pool.checkedout()) == (1, 0)
    assert open_files(tmp_path) == set()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forking: here a thread may be left
def test_a_forked_process_leaves_its_parent_s_connection_alone(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        catalog.archive.index([archive_file("parent")])
        child = os.fork()
        if child == 0:
            catalog.archive.index([archive_file("child")])
            own = database._inherited != []
            catalog.close()
            os._exit(0 if own else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        catalog.archive.index([archive_file("after")])
        assert catalog.archive.indexed().keys() == {f"/sas/{name}.fits" for name in ("parent", "child", "after")}
        assert database._inherited == []


def test_of_many_rows_those_that_are_new_are_inserted_and_named(catalog: Catalog) -> None:
    rows = [row_of(archive_file(name), schema.archive_file) for name in "cab"]
    with catalog._database.write() as connection:
        assert insert_each_once(connection, schema.archive_file, rows[:1]) == {"/sas/c.fits"}
        new = insert_each_once(connection, schema.archive_file, [*rows, rows[1]])
        assert new == {"/sas/a.fits", "/sas/b.fits"}
        assert insert_each_once(connection, schema.archive_file, []) == set()


def test_many_rows_are_inserted_in_the_order_of_their_keys(catalog: Catalog) -> None:
    """Of two processes that insert the same rows in different orders, each would wait for the other."""
    place = "rowid" if catalog._database.url.get_backend_name() == "sqlite" else "ctid"
    rows = [row_of(archive_file(name), schema.archive_file) for name in "dbace"]
    with catalog._database.write() as connection:
        insert_each_once(connection, schema.archive_file, rows)
        inserted = connection.scalars(text(f"SELECT path FROM archive_file ORDER BY {place}")).all()  # noqa: S608
    assert inserted == [f"/sas/{name}.fits" for name in "abcde"]


def test_a_value_that_its_column_does_not_take_is_a_fault_of_the_row(catalog: Catalog) -> None:
    """PostgreSQL refuses it, and trying again would not help; SQLite takes text of any length."""
    if catalog._database.url.get_backend_name() == "sqlite":
        catalog.archive.index([archive_file("x" * 2000)])
        assert len(catalog.archive.indexed()) == 1
        return
    with pytest.raises(CatalogError, match="too long"):
        catalog.archive.index([archive_file("x" * 2000)])
