"""Tables for the pages, read from the code: each a heading row and its rows, whose texts are Markdown of one line."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from enum import EnumMeta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_DEFAULT = re.compile(r"; (default|not set): (?P<default>.*)\.$")

_VARIABLE = re.compile(r"(# )?([A-Z][A-Z0-9_]*)=(\S*)\s*(?:# ?(.*))?")


class Rows(NamedTuple):
    """A table: what stands above its columns, and its rows."""

    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]


def settings() -> Rows:
    """Return every field of the settings: its variable, its default and what it means."""
    from apogee_labels.core.settings import PREFIX, Settings

    rows = []
    for name, field in Settings.model_fields.items():
        variable = "SAS_BASE_DIR" if name == "sas_base_dir" else PREFIX + name.upper()
        rows.append((f"`{variable}`", _default_of(field.default, field.description or ""), field.description or ""))
    return Rows(("variable", "default", "meaning"), rows)


def _default_of(value: object, description: str) -> str:
    if told := _DEFAULT.search(description):
        return told["default"] if told[1] == "default" else "not set"
    if value is None:
        return "not set"
    return f"`{','.join(value) if isinstance(value, tuple) else value}`"


def container_settings() -> Rows:
    """Return the variables of `.env.example`: whether they must be filled in, their default, and the comment beside each."""
    rows = []
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if found := _VARIABLE.fullmatch(line):
            commented, name, value, comment = found.groups()
            default = (f"`{value}`" if value else "as above") if commented else "to be filled in"
            rows.append((f"`{name}`", default, re.sub(r"\s{2,}", "; ", comment or "")))
    return Rows(("variable", "default", "meaning"), rows)


def catalogue() -> list[tuple[str, str, Rows]]:
    """Return the catalogue's tables: name, what one row is, and the columns."""
    from apogee_labels.catalog.db.schema import metadata

    return [
        (
            table.name,
            table.comment or "",
            Rows(
                ("column", "type", "key", "meaning"),
                [
                    (f"`{column.name}`", _sql_type(column), _key(column), column.comment or "")
                    for column in table.columns
                ],
            ),
        )
        for table in metadata.tables.values()
    ]


def _sql_type(column: Any) -> str:
    from sqlalchemy.dialects import sqlite

    text = str(column.type.compile(sqlite.dialect())).lower()
    return text if column.nullable else f"{text}, not null"


def _key(column: Any) -> str:
    keys = ["primary"] if column.primary_key else []
    keys += [f"of `{key.column.table.name}.{key.column.name}`" for key in column.foreign_keys]
    return ", ".join(keys)


def bits(target: str) -> Rows:
    """Return the bits of a flag, `module:Class`: number, name and sentence."""
    module, _, name = target.partition(":")
    flag = getattr(import_module(module), name)
    rows = [(str(int(bit).bit_length() - 1), f"`{bit.name}`", bit.sentence) for bit in flag]
    return Rows(("bit", "name", "meaning"), rows)


def words(target: str) -> Rows:
    """Return the members of an enumeration of text, `module:Class`, with the comment behind each in the source."""
    module, _, name = target.partition(":")
    enumeration: EnumMeta = getattr(import_module(module), name)
    source = inspect.getsource(enumeration)
    rows = []
    for member in enumeration:  # type: ignore[var-annotated]
        comment = re.search(rf"^\s+{member.name} = .*?#\s*(.*)$", source, re.MULTILINE)
        rows.append((f"`{member.value}`", comment[1] if comment else ""))
    return Rows(("word", "meaning"), rows)


def dag_form(dag_id: str) -> Rows:
    """Return the params of a DAG: name, title, default and description."""
    dag = _dags()[dag_id]
    rows = []
    for name in dag.params:
        param = dag.params.get_param(name)
        text = ": ".join(filter(None, (param.schema.get("title", ""), param.description)))
        default = "" if not param.has_value or param.value is None else f"`{_plain(param.value)}`"
        rows.append((f"`{name}`", default, text))
    return Rows(("param", "default", "meaning"), rows)


def _plain(value: object) -> str:
    """Return a default as text, without the folder that these pages are built in."""
    from apogee_labels.core.settings import Settings

    return str(value).replace(str(Settings().data_dir), "data")


@cache
def _dags() -> dict[str, Any]:
    """Load the DAG files: by id."""
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    DagContext.autoregistered_dags.clear()
    for path in sorted((ROOT / "dags").glob("*.py")):
        name = f"documented_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be loaded.")
        DagContext.current_autoregister_module_name = name
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return {dag.dag_id: dag for dag, _ in sorted(DagContext.autoregistered_dags, key=lambda item: item[0].dag_id)}


def dags() -> Rows:
    """Return every DAG: its id, what its documentation is headed by and what schedules it."""
    rows = []
    for name, dag in _dags().items():
        heading = (dag.doc_md or "").strip().splitlines()[0].lstrip("# ")
        schedule = dag.schedule if isinstance(dag.schedule, str | None) else type(dag.schedule).__name__
        rows.append((f"`{name}`", heading, f"`{schedule}`" if schedule else "by hand"))
    return Rows(("DAG", "what it is for", "schedule"), rows)


def make_targets() -> Rows:
    """Return the targets of the Makefile that it explains."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.findall(r"^([a-z-]+):.*?## (.*)$", text, re.MULTILINE)
    return Rows(("target", "meaning"), [(f"`make {name}`", meaning) for name, meaning in found])
