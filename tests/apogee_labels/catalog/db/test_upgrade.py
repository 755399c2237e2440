"""Creating and upgrading the schema."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, event, insert, inspect, text

from apogee_labels.catalog import Catalog, CatalogError
from apogee_labels.catalog.db import schema, upgrade
from apogee_labels.catalog.db.database import Database
from apogee_labels.catalog.db.rows import row_of
from apogee_labels.catalog.records import LabelValue, ResultRecord
from tests.apogee_labels.catalog.catalog_samples import (
    archive_file,
    content,
    model,
    normalization,
    result,
    row,
    same,
    spectrum,
    together,
)


def test_head_is_alembics_head(catalog: Catalog) -> None:
    with catalog._database.read() as connection:
        scripts = ScriptDirectory.from_config(upgrade.migration_config(connection))
        assert scripts.get_heads() == [schema.HEAD]
        assert upgrade.schema_version(connection) == schema.HEAD


def test_migrations_make_the_schema_that_the_code_describes(catalog: Catalog) -> None:
    with catalog._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_every_table_and_column_says_what_it_is() -> None:
    for table in schema.metadata.sorted_tables:
        assert table.comment
        assert table.name in schema.__doc__
        assert [column.name for column in table.columns if not column.comment] == []


def test_downgrade_leaves_nothing_and_upgrade_brings_it_back(fresh_catalog: Catalog) -> None:
    with fresh_catalog._database.write() as connection:
        command.downgrade(upgrade.migration_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        upgrade.upgrade_schema(connection)
        assert set(inspect(connection).get_table_names()) == {"alembic_version", *schema.metadata.tables}


NAN = math.nan


def _old_result() -> ResultRecord:
    """A result as revision 0001 keeps it: its error is the formal one, and one label is not known."""
    labels = (
        LabelValue("TEFF", 4500.0, 12.5, 12.5),
        LabelValue("LOGG", 2.5, 0.03, 0.03),
        LabelValue("FE_H", *[NAN] * 3),
    )
    made = replace(row(), labels=labels, unexplained=NAN)
    return result(normalization(content("star")).id, model().id, rows=(made,))


@pytest.fixture
def first_schema(empty_url: str) -> Iterator[Database]:
    """A database of revision 0001, written by it, with one star's result."""
    database = Database(empty_url)
    with database.write() as connection:
        command.upgrade(upgrade.migration_config(connection), "0001")
        _insert(connection, _old_result())
    yield database
    database.close()


def _insert(connection: Connection, made: ResultRecord) -> None:
    """Insert a result and what it needs, into the columns that the database has."""
    tables = MetaData()
    tables.reflect(connection)
    records = {"archive_file": archive_file(), "spectrum": spectrum(), "model": model()}
    records |= {"normalization": normalization(content("star")), "result": made}
    for name, record in records.items():
        connection.execute(insert(tables.tables[name]), row_of(record, tables.tables[name]))
    of_row = row_of(made.rows[0], tables.tables["result_row"], result_id=made.id)
    connection.execute(insert(tables.tables["result_row"]), of_row)
    for label in made.rows[0].labels:
        of_label = row_of(label, tables.tables["label"], result_id=made.id, row=0)
        known = {name: None if value != value else value for name, value in of_label.items()}
        connection.execute(insert(tables.tables["label"]), known)


def test_a_result_of_the_first_schema_is_kept(first_schema: Database) -> None:
    with Catalog.open(first_schema.url) as catalog:
        assert same(catalog.results.get(_old_result().id), _old_result())
        table = catalog.labels(model=model().id)
        for name, value in (("e_teff", 12.5), ("raw_e_teff", 12.5), ("raw_e_logg", 0.03)):
            assert list(table[name]) == [value]
        assert [math.isnan(table[name][0]) for name in ("raw_e_fe_h", "unexplained")] == [True, True]


def test_a_file_that_was_never_read_is_known_as_one_of_no_night(first_schema: Database) -> None:
    with first_schema.write() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for name, digest in (("unread", content("unread")), ("folder", None)):
            file = row_of(archive_file(name), tables.tables["archive_file"]) | {"digest": digest}
            connection.execute(insert(tables.tables["archive_file"]), file)
    with Catalog.open(first_schema.url) as catalog:
        assert [file.obj for file in catalog.archive.files_of_no_night("apo25m")] == ["folder", "unread"]
        assert catalog.archive.indexed()["/sas/star.fits"] == archive_file()
    with first_schema.write() as connection:
        command.downgrade(upgrade.migration_config(connection), "0002")
        states = connection.scalars(text("SELECT DISTINCT state FROM archive_file")).all()
    assert states == ["present"]


def test_going_back_to_the_first_schema_keeps_the_formal_error(first_schema: Database) -> None:
    with first_schema.read() as connection:
        before = _columns(connection)
    Catalog.open(first_schema.url).close()
    with first_schema.write() as connection:
        connection.execute(text("UPDATE label SET error = 20 WHERE name = 'TEFF'"))
        command.downgrade(upgrade.migration_config(connection), "0001")
        assert _columns(connection) == before
        query = text("SELECT name, error FROM label ORDER BY name")
        assert [tuple(found) for found in connection.execute(query)] == [("FE_H", None), ("LOGG", 0.03), ("TEFF", 12.5)]


def _columns(connection: Connection) -> dict[str, list[tuple[str, str | None]]]:
    """Each table's columns with their comments, and its own comment."""
    found = inspect(connection)
    keeps = connection.dialect.supports_comments
    return {
        table: [(column["name"], column.get("comment")) for column in found.get_columns(table)]
        + [("", found.get_table_comment(table)["text"] if keeps else None)]
        for table in found.get_table_names()
    }


def test_opening_what_is_up_to_date_is_one_select(catalog: Catalog) -> None:
    database = Database(catalog._database.url)
    statements: list[str] = []
    event.listen(database._reading, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    upgrade.ensure_schema(database)
    database.close()
    assert [statement.split()[0] for statement in statements if statement != "BEGIN"] == ["SELECT"]


def test_opening_what_is_up_to_date_imports_no_alembic_and_no_astropy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    Catalog.open(url).close()
    code = f"import sys; from apogee_labels.catalog import Catalog; Catalog.open({url!r}).close(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"alembic", "astropy", "numpy"} & set(modules)


def test_unknown_versions_are_refused_and_left_alone(fresh_catalog: Catalog) -> None:
    for version in ("9999", "a3b1c2d4e5f6"):
        with fresh_catalog._database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
        with pytest.raises(CatalogError, match=f"{version}.*at {schema.HEAD}.*update the code"):
            Catalog.open(fresh_catalog._database.url)
        with fresh_catalog._database.read() as connection:
            assert upgrade.schema_version(connection) == version


def _open(place: int, url: str) -> int:
    with Catalog.open(url) as catalog:
        return len(catalog.archive.indexed())


def test_many_processes_open_an_empty_catalogue_at_once(empty_url: str) -> None:
    assert together(8, _open, empty_url) == [0] * 8
    with Catalog.open(empty_url) as catalog, catalog._database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1


def test_a_failing_migration_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: object) -> None:
        whole(connection)
        raise RuntimeError("power cut")

    whole = upgrade.upgrade_schema
    monkeypatch.setattr(upgrade, "upgrade_schema", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        Catalog.open(empty_url)
    monkeypatch.undo()
    database = Database(empty_url)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []
    database.close()
    Catalog.open(empty_url).close()


def test_sqlite_keeps_a_write_ahead_log_and_holds_to_foreign_keys(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog, catalog._database.read() as connection:
        settings = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in settings]
    assert found == ["wal", 1, 1, 30_000]


def test_a_database_that_does_not_answer_says_so() -> None:
    with pytest.raises(Exception, match=r"(?i)connection.*refused"):
        Catalog.open("postgresql://nobody:secret@127.0.0.1:1/none")


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with pytest.raises(Exception, match="file is not a database"):
        Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
