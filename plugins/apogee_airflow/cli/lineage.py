"""Where a value in the catalogue comes from: ``python -m apogee_airflow.cli.lineage RESULT`` or ``... STAR``.

A result is named by its identity or the first 12 characters of it (column ``result`` of every table of labels); of a star,
its current result by each model is told.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apogee_labels.catalog.queries.lineage import Lineage

_IDENTITY = re.compile(r"[0-9a-f]{12,64}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m apogee_airflow.cli.lineage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="RESULT|STAR", help="a result, e.g. 1f0c5d9a77b2, or a star")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(arguments)
    try:
        for line in lines_of(options.name, as_json=options.json):
            sys.stdout.write(f"{line}\n")
    except (ValueError, RuntimeError) as error:
        sys.stderr.write(f"lineage: {error}\n")
        return 1
    except BrokenPipeError:  # the reader has seen enough
        return 0
    return 0


def lines_of(name: str, *, as_json: bool = False) -> Iterator[str]:
    """Yield the lineage of a result, or of each current result of a star.

    Raises
    ------
    ValueError
        There is neither.
    """
    from apogee_labels.pipeline.products import lineage

    found = _find(name)
    if not found:
        raise ValueError(
            f"the catalogue has no result and no analysed star {name!r}: expected the identity of a result (or its first 12 "
            "characters: column `result` of a table of labels), or the name of a star such as 2M16505794-2118004."
        )
    if as_json:
        yield json.dumps([lineage.as_json(each) for each in found], indent=2)
        return
    for number, each in enumerate(found):
        yield from [""] if number else []
        yield from lineage.lines(each)


def _find(name: str) -> list[Lineage]:
    from apogee_labels.pipeline.workspace import Workspace

    with Workspace.open() as workspace:
        if _IDENTITY.fullmatch(name) and (found := workspace.catalog.lineage.of_result(name)) is not None:
            return [found]
        return workspace.catalog.lineage.of_star(name)


if __name__ == "__main__":
    sys.exit(main())
