"""Where a value in the catalogue comes from."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from apogee_labels.catalog.queries.lineage import Lineage

_IDENTITY = re.compile(r"[0-9a-f]{12,64}")


@click.command()
@click.argument("name", metavar="RESULT|STAR")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def lineage(name: str, as_json: bool) -> None:
    """Say where a value in the catalogue comes from.

    A result is named by its identity or the first 12 characters of it (column `result` of every table of labels); of a
    star, its current result by each model is shown.
    """
    from apogee_labels.pipeline.products import lineage as product_lineage

    found = _find(name)
    if not found:
        raise click.ClickException(
            f"the catalogue has no result and no analysed star {name!r}: expected the identity of a result (or its first 12 "
            "characters: column `result` of a table of labels), or the name of a star such as 2M16505794-2118004."
        )
    if as_json:
        click.echo(json.dumps([product_lineage.as_json(each) for each in found], indent=2))
    else:
        click.echo("\n\n".join("\n".join(product_lineage.lines(each)) for each in found))


def _find(name: str) -> list[Lineage]:
    from apogee_labels.pipeline.workspace import Workspace

    with Workspace.open() as workspace:
        if _IDENTITY.fullmatch(name) and (found := workspace.catalog.lineage.of_result(name)) is not None:
            return [found]
        return workspace.catalog.lineage.of_star(name)
