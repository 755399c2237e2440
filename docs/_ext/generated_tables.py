"""Directives that put tables from the code into the pages; what the code does not explain is a warning, so an error.

=======================  ============================================================================================
``settings``             every setting of an installation
``container-settings``   every variable of ``.env.example``
``dags``, ``dag-form``   the DAGs; the params of one
``make-targets``         the targets of the Makefile
``product``              the HDUs, header keys and columns of a product that was just made: normalized, model, stars, night
``catalogue``            the tables of the catalogue
``bits``, ``words``      a flag, or an enumeration of text: ``module:Class``
=======================  ============================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import api_pages
import example_products
import from_code
from docutils import nodes
from from_code import Rows
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

log = logging.getLogger(__name__)


TABLES: dict[str, Callable[..., Rows]] = {
    "settings": from_code.settings,
    "container-settings": from_code.container_settings,
    "dags": from_code.dags,
    "dag-form": from_code.dag_form,
    "make-targets": from_code.make_targets,
    "bits": from_code.bits,
    "words": from_code.words,
}
"""What each directive of one table shows; an argument is handed on."""
MAY_BE_SILENT = ("container-settings",)
"""Directives whose rows need no description: the table beside them has it."""


class CodeTable(SphinxDirective):
    """A directive that gives the table of its name in :data:`TABLES`."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return [self.table(TABLES[self.name](*self.arguments))]

    def table(self, rows: Rows) -> nodes.Node:
        """Return a table; a row whose description is empty is warned of."""
        for row in rows.rows:
            if not row[-1] and self.name not in MAY_BE_SILENT:
                log.warning("%s: %s has no description", self.name, row[0], location=self.get_location())
        group = nodes.tgroup(cols=len(rows.headings))
        group += [nodes.colspec(colwidth=_width(rows, place)) for place in range(len(rows.headings))]
        group += nodes.thead("", _row(rows.headings))
        group += nodes.tbody("", *map(_row, rows.rows))
        return nodes.table("", group)


class Catalogue(CodeTable):
    """Every table of the catalogue, headed by its name."""

    def run(self) -> list[nodes.Node]:
        """Return all tables."""
        return [node for name, what, rows in from_code.catalogue() for node in (_head(name, what), self.table(rows))]


class Product(CodeTable):
    """A product HDU by HDU: its header keys and its columns."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return its HDUs."""
        return list(self._units(self.arguments[0]))

    def _units(self, kind: str) -> Iterator[nodes.Node]:
        for unit in example_products.described(kind):
            if unit.number == 0 and not unit.keywords:
                continue
            yield _head(f"HDU {unit.number} {unit.name}", unit.what)
            if unit.keywords:
                rows = [(f"`{entry.name}`", entry.kind, entry.meaning) for entry in unit.keywords]
                yield self.table(Rows(("header key", "example", "meaning"), rows))
            if unit.columns:
                entries = [(f"`{entry.name}`", entry.kind, entry.unit, entry.meaning) for entry in unit.columns]
                yield self.table(Rows(("column", "format", "unit", "meaning"), entries))


def _head(title: str, text: str) -> nodes.Node:
    paragraph = nodes.paragraph("", "", nodes.strong(title, title))
    paragraph += [nodes.Text(": "), *_inline(text)] if text else []
    return paragraph


def _row(cells: tuple[str, ...]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *_inline(cell))) for cell in cells))


def _inline(text: str) -> list[nodes.Node]:
    """Return text in which backquotes mark what is literal."""
    parts = re.split(r"`([^`]+)`", text)
    return [nodes.literal(part, part) if place % 2 else nodes.Text(part) for place, part in enumerate(parts) if part]


def _width(rows: Rows, place: int) -> int:
    return max(len(row[place]) for row in (rows.headings, *rows.rows))


PAGE_OF = {
    "README.md": "docs/index.md",
    "ARCHITECTURE.md": "docs/decisions.md",
    "CHANGELOG.md": "docs/changelog.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "SECURITY.md": "docs/security.md",
}
"""The pages of the site that include files of the root."""


def _lead_to_pages(_: Sphinx, __: Path, ___: str, content: list[str]) -> None:
    """Let links between files of the root, which are included in pages, lead to these pages."""
    for file, page in PAGE_OF.items():
        content[0] = content[0].replace(f"]({file})", f"]({page})")


def _write_api(app: Sphinx) -> None:
    api_pages.write_pages(Path(app.srcdir) / "_api")


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives, and write the pages of the API before Sphinx looks for them."""
    for name in TABLES:
        app.add_directive(name, CodeTable)
    app.add_directive("catalogue", Catalogue)
    app.add_directive("product", Product)
    app.connect("builder-inited", _write_api)
    app.connect("include-read", _lead_to_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
